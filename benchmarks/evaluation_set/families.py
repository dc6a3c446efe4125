"""All families of look-alikes by name, and what each needs."""

from __future__ import annotations

from benchmarks.evaluation_set.lookalike_prints import PRINTS
from benchmarks.evaluation_set.lookalike_scenes import SCENES
from benchmarks.evaluation_set.lookalikes import FAMILIES, Family

ALL_FAMILIES: dict[str, Family] = {**FAMILIES, **PRINTS, **SCENES}

# How many photographs a family takes. No photograph may serve two of them or stand in the set
# itself: its pictures would then be edited copies of one another.
PHOTOGRAPHS_NEEDED: dict[str, int] = {
    "burst frames with a moved object": 2,
    "burst frames with a small moved object": 2,
    "flat object moved": 1,
    "panorama overlaps": 1,
    "inverted art": 1,
    "photographs of a label with another number": 1,
    "slides over one photograph": 1,
    "cars with another plate": 1,
    "textures at two places": 1,
    "video frames with a moving thing": 2,
    "spot the difference": 1,
    "thermal images": 4,
    "thermal images with another hot spot": 1,
}

# Whatever the seed, these give the same pictures: they come once in a set.
ALWAYS_THE_SAME = frozenset({"stereo pair"})

# With more, the hot spots of a thermal image would come to lie on one another.
MOST_PER_INSTANCE = 5
