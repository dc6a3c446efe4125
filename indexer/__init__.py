"""Bytes to record: the one pass over every image."""
