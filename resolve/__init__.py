"""Verdicts to groups, groups to keepers, and the lists that say what to delete."""
