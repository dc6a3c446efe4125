"""Three or four edits on top of each other, from a seeded generator, and all edits by name."""

from __future__ import annotations

from benchmarks.evaluation_set.drawing import BLACK, U8, WHITE, Random
from benchmarks.evaluation_set.edits import (
    CHAINS,
    EDITS,
    OVERLAYS,
    Edit,
    blur,
    bordered,
    crop,
    jpeg,
    mirror,
    noise,
    quarter_turns,
    resize,
    rotate,
    saturation,
    sharpen,
    tone,
)
from benchmarks.evaluation_set.further_edits import FURTHER_EDITS, curve, vignette
from benchmarks.evaluation_set.overlays import FURTHER_OVERLAYS

# What a chain may be made of, by what it changes: a chain takes at most one step of each kind, in
# any order, so that it does not crop three times and leave a stamp of the original.
STEPS: dict[str, tuple[Edit, ...]] = {
    "frame": (crop(0.85), crop(0.65), rotate(3.0), resize(1.0, stretch=0.9)),
    "turn": (mirror, quarter_turns(1), quarter_turns(2)),
    "size": (resize(0.5), resize(0.75), resize(1.4)),
    "tone": (
        tone(lambda values: values * 1.2),
        tone(lambda values: values * 0.75),
        tone(lambda values: values**0.75),
        tone(lambda values: (values - 0.5) * 1.25 + 0.5),
    ),
    "colour": (saturation(0.6), saturation(1.4), saturation(0.0), curve),
    "detail": (blur(1.0), sharpen, noise(6.0), vignette),
    "margin": (bordered(0.05, 0.05, WHITE), bordered(0.12, 0.0, BLACK)),
    "mark": (FURTHER_OVERLAYS["logo"], FURTHER_OVERLAYS["text, outlined"]),
}


def random_chain(length: int) -> Edit:
    """`length` steps of different kinds, then a JPEG of quality 40 to 85 as it is passed on."""

    def edit(image: U8, random: Random) -> U8:
        for kind in random.choice(list(STEPS), length, replace=False):
            choices = STEPS[str(kind)]
            image = choices[int(random.integers(len(choices)))](image, random)
        return jpeg(int(random.integers(40, 86)))(image, random)

    return edit


RANDOM_CHAINS: dict[str, Edit] = {
    "three at random": random_chain(3),
    "four at random": random_chain(4),
}

ALL_EDITS: dict[str, Edit] = {
    **EDITS,
    **FURTHER_EDITS,
    **OVERLAYS,
    **FURTHER_OVERLAYS,
    **CHAINS,
    **RANDOM_CHAINS,
}
