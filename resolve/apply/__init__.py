"""Doing what delete.csv says, and undoing it."""
