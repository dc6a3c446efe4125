"""A blob service on this machine that fails as a real one does, by a seed."""
