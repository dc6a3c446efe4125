"""Indexing a store that throttles, stalls, breaks off and changes."""
