"""Bytes by the million into everything that reads bytes which somebody else may have written."""
