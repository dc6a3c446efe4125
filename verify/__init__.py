"""Candidate pair to verdict: may one of the two be deleted for the other?"""
