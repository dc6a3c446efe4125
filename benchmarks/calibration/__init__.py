"""Fits the score of a verdict on sets with known truth, and shows how far it may be believed."""
