"""Millions of made-up images: how search and resolving grow."""
