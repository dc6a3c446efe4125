"""Records to candidate pairs, and one image to its neighbours."""
