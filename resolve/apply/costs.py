"""What stored bytes cost.

The default is Azure's list price for the hot tier, locally redundant, in US East, for the first
50 TB: 0.0184 USD for a GB (2³⁰ bytes) and month, as the price page had it in 2025. Other tiers,
regions and contracts differ by up to tenfold: give your own with --price-per-gb.
"""

from __future__ import annotations

PRICE_PER_GB = 0.0184
CURRENCY = "USD"
_GB = 1 << 30


def cost_per_month(size: int, price_per_gb: float = PRICE_PER_GB) -> float:
    """What `size` bytes cost a month, in the currency of the price."""
    return size / _GB * price_per_gb
