"""Listing a container of millions of names: what it takes in memory, time and requests."""
