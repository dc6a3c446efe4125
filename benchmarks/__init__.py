"""Measurements that carry the figure they must reach; run from a checkout, not installed."""
