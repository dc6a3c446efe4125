"""The HTTP API of `dedup serve`."""
