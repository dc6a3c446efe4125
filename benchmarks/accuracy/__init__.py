"""What dedup finds, misses and must not touch, beside other tools on the same pictures."""
