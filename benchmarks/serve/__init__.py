"""The load test of `dedup serve`."""
