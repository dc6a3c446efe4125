"""Evaluation sets with known truth: copies by known edits, and look-alikes that are no copies."""
