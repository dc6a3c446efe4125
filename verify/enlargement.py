"""Was the larger of two copies made from the smaller one?

Enlarging adds pixels and no detail. The spectrum of the larger one ends where that of the smaller
does, and pixel by pixel it is smoother by far: a reduced copy is about as sharp and as noisy as
what it was made from. Measured on pairs of a picture and its copy at half or double the length: the
enlarged one has 0.12 to 0.27 of the noise and 0.09 to 0.20 of the sharpness of its source; for an
original and its reduced copy the same ratios are below 0.40 and 0.27 in one of fifty. Where saving
has hidden the end of the spectrum, the larger one has to be smoother still. Of 351 originals beside
their reduced copies none is taken for enlarged, of 18 enlarged copies 14 are.

A soft original beside a copy that was reduced and sharpened looks alike. All that it shows is in
the copy then, but a camera's file is never given up for that.
"""

from __future__ import annotations

from storage.records import ImageRecord

# Below so much in length nothing can be told, above it is another matter (a thumbnail).
_LEAST, _MOST = 1.4, 3.5
# Measures of a picture that was decoded at reduced size say nothing of its last pixel.
_FULLY_MEASURED = 0.99
# How far beyond the spectrum of the source that of the copy may be measured to reach.
_SAME_SPECTRUM = 1.3
_SMOOTHER_NOISE, _SMOOTHER_SHARPNESS = 1.6, 2.0
# What may be left of noise and sharpness, of what these would leave: where the spectra agree, and
# where they do not.
_LEFT, _LEFT_UNSEEN = (1.0, 0.8), (0.7, 0.6)
# Grey levels from which on noise may have been put on the smaller one: beside it all is smooth.
_ADDED_NOISE = 9.0
# Grey levels, and the measure of sharpness, below which a picture is smooth in any case.
_NOISE_FLOOR, _SHARPNESS_FLOOR = 0.6, 20.0


def was_enlarged(large: ImageRecord, small: ImageRecord, factor: float) -> bool:
    """True when all says that `large` was enlarged from `small`; False when that is not sure.

    Args:
        factor: pixels of `large` for one of `small`, as a length.
    """
    if not _LEAST <= factor <= _MOST:
        return False
    said = large.metadata
    if said.camera or said.taken_at:
        return False
    a, b = large.quality, small.quality
    if min(a.measured_scale, b.measured_scale) < _FULLY_MEASURED:
        return False
    if b.noise < _NOISE_FLOOR or b.sharpness < _SHARPNESS_FLOOR:
        return False
    noise_left, sharpness_left = _LEFT
    if a.bandwidth * factor > _SAME_SPECTRUM * b.bandwidth:
        if b.noise > _ADDED_NOISE:
            return False
        noise_left, sharpness_left = _LEFT_UNSEEN
    return bool(
        a.noise <= noise_left * b.noise * factor**-_SMOOTHER_NOISE
        and a.sharpness <= sharpness_left * b.sharpness * factor**-_SMOOTHER_SHARPNESS
    )
