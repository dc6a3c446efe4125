"""The order in which candidates are compared; what tells an original from what was made of it.

To change what counts first, reorder `KEEPER_RULES`. How clearly worse a loser must be is the slack
of each rule, in the unit of its score.
"""

from __future__ import annotations

from resolve import file_rules, pixel_rules
from resolve.rule import Rule

KEEPER_RULES: tuple[Rule, ...] = (
    pixel_rules.FRAME,
    pixel_rules.CLEAN,
    pixel_rules.PROPORTIONS,
    pixel_rules.DETAIL,
    pixel_rules.NATIVE,
    pixel_rules.PIXELS,
    pixel_rules.ADDED_GRAIN,
    pixel_rules.COLOUR,
    file_rules.CAMERA_DATA,
    pixel_rules.ORIENTATION,
    pixel_rules.TONE,
    file_rules.SOURCE,
    pixel_rules.UNTOUCHED_TONE,
    file_rules.CHROMA,
    file_rules.GENERATION,
    file_rules.COMPRESSION,
    pixel_rules.TYPICAL_DETAIL,
    file_rules.METADATA,
    file_rules.CAMERA_FORMAT,
    pixel_rules.LOW_NOISE,
    pixel_rules.SHARPNESS,
)

# These only break ties and are given as a reason only where nothing else tells.
LAST_RULES: tuple[Rule, ...] = (
    file_rules.AGE,
    file_rules.NAME,
)

# These compare each with each, or with the middle of those in the running: they say nothing of a
# pool of thousands, and would cost its square.
NOT_FOR_WHOLE_POOLS = frozenset(
    (
        pixel_rules.NATIVE.name,
        pixel_rules.PROPORTIONS.name,
        file_rules.SOURCE.name,
        file_rules.GENERATION.name,
        pixel_rules.ADDED_GRAIN.name,
        pixel_rules.TYPICAL_DETAIL.name,
    )
)
