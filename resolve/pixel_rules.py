"""Rules about the picture itself: frame, marks, detail, colour, tone, noise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

from resolve.contest import Contest, Scores
from resolve.rule import Places, Rule, others, size_words, sizes_words
from storage.records import ImageRecord

# 10 % of the pixels: crops of a few rows and rounding of resizes are no difference in resolution.
_SAME_RESOLUTION = -math.log(0.9)
_NO_TEXTURE_BANDWIDTH = 0.02
# Noise and the edges of JPEG's blocks are signal up to the Nyquist frequency to a measure of
# bandwidth: at quality 60 and below, a soft picture measured as sharp to the last pixel.
_NOISIER = 1.5
_NOISE_FLOOR = 1.0
_COARSE_JPEG, _FINE_JPEG = 70.0, 78.0
_WEAK_GRID = 0.13
_STRONG_GRID = 0.45
_SHARP_TO_THE_PIXEL, _SOFT = 0.9, 0.85
_ENLARGED = 1.3
_SAME_SIZE = 0.7
# Logarithms of noise in grey levels: what two saves of one picture differ by, and three of any
# kind; and a floor, in grey levels, below which differences mean nothing: fine compression takes
# grain of one or two levels away.
_SAME_GRAIN, _NEARLY_SAME_GRAIN, _LEAST_NOISE = 0.10, 0.15, 1.5
_GREY_BELOW = 0.15
_COLOUR_FROM = 6.0


def _frame(contest: Contest, places: Places) -> Scores:
    return [-contest.missing_share[n] for n in places]


def _frame_words(contest: Contest, winner: int, losers: Places) -> str:
    missing = max(contest.missing_share[n] for n in losers)
    return f"shows the whole frame; {others(contest, losers)} up to {100 * missing:.0f} % less"


def _clean(contest: Contest, places: Places) -> Scores:
    return [-contest.added[n] for n in places]


def _clean_words(contest: Contest, winner: int, losers: Places) -> str:
    found = []
    for name, word in (("overlay_on_a", "text or a mark on it"), ("border_on_a", "a border")):
        measured = contest.worst_measured(name)
        if max(measured[n] for n in losers) > measured[winner] + 0.003:
            found.append(word)
    has = "has" if len(losers) == 1 else "have"
    return f"clean; {others(contest, losers)} {has} {' or '.join(found) or 'something added'}"


def _detail(contest: Contest, places: Places) -> Scores:
    of_all = contest.once("detail", _detail_of_all)
    return [of_all[n] for n in places]


def _detail_of_all(contest: Contest) -> Scores:
    """Logarithm of the pixels that carry detail: an enlarged copy has no more than its source."""
    pixels = contest.pixels
    size = [math.sqrt(count) for count in pixels]
    detail = [
        length * _linear_detail(record)
        for length, record in zip(size, contest.records, strict=True)
    ]
    misled = _misleading(contest)
    if any(misled) and not all(misled):
        # They cannot win by it; nor do they lose by it, for an original may well be the grainiest.
        most = max(found for found, is_misled in zip(detail, misled, strict=True) if not is_misled)
        detail = [
            min(found, most) if is_misled else found
            for found, is_misled in zip(detail, misled, strict=True)
        ]
    for n in sorted(range(len(contest)), key=pixels.__getitem__):
        # What is no softer than a smaller one on the pixels has all its detail, whatever the
        # spectrum says.
        smaller = (detail[m] for m in contest.is_no_softer(n) if pixels[m] <= pixels[n])
        detail[n] = max((detail[n], *smaller))
    for n, sources in _enlarged_from(contest).items():
        # What each pixel of a source shows is spread over several; how many pixels a source has
        # says nothing, for there may be a screen around it.
        finest = max(detail[m] / size[m] / factor for m, factor in sources.items())
        detail[n] = min(detail[n], size[n] * finest)
    return [2.0 * math.log(max(1.0, found)) for found in detail]


def _misleading(contest: Contest) -> list[bool]:
    """For each candidate whether noise or the grid of JPEG may have passed for detail."""
    noise = contest.quality("noise")
    noisy = _NOISIER * median(noise) + _NOISE_FLOOR
    return [
        level > noisy or 0 < quality < _COARSE_JPEG or grid > _STRONG_GRID
        for level, quality, grid in zip(
            noise, contest.quality("jpeg_quality"), contest.quality("blockiness"), strict=True
        )
    ]


def _enlarged_from(contest: Contest) -> dict[int, dict[int, float]]:
    """Candidates that were enlarged, as of `Contest.made_from`."""
    at_its_scale = contest.at_its_scale
    return {
        n: sources
        for n, sources in contest.made_from.items()
        if max(at_its_scale[m] for m in sources) >= at_its_scale[n]
    }


def _linear_detail(record: ImageRecord) -> float:
    quality = record.quality
    if quality.bandwidth <= _NO_TEXTURE_BANDWIDTH:
        return 1.0
    if quality.measured_scale >= 0.99:
        return quality.bandwidth
    # Measured on a reduced decode: detail up to its limit says nothing about what is beyond.
    return 1.0 if quality.bandwidth > 0.9 else quality.bandwidth * quality.measured_scale


def _detail_words(contest: Contest, winner: int, losers: Places) -> str:
    pixels = contest.pixels
    larger = max(losers, key=pixels.__getitem__)
    if pixels[larger] > 0.95 * pixels[winner]:
        return (
            f"most detail: {size_words(contest, winner)}; {size_words(contest, larger)} "
            f"{'was enlarged' if pixels[larger] > 1.1 * pixels[winner] else 'is softer'}"
        )
    sizes = sizes_words(contest, losers)
    return f"largest: {size_words(contest, winner)}, {others(contest, losers)} {sizes}"


def _native(contest: Contest, places: Places) -> Scores:
    of_all = contest.once("native", _native_of_all)
    return [of_all[n] for n in places]


def _native_of_all(contest: Contest) -> Scores:
    """0 for pictures that are enlarged copies of another of the same detail, else 1.

    Of two sizes with the same detail the larger was enlarged if the smaller is sharp to its last
    pixel, or if the larger is smoother by far. If the smaller is soft too, it was made by reducing
    a soft original.
    """
    everyone = range(len(contest))
    detail, pixels = _detail(contest, everyone), contest.pixels
    finest = [_linear_detail(record) for record in contest.records]
    sharp = [m for m in everyone if finest[m] >= _SHARP_TO_THE_PIXEL]
    enlarged = {
        n
        for n in everyone
        if finest[n] < _SOFT
        and _has_source(
            (
                m
                for m in sharp
                if pixels[n] > _ENLARGED * pixels[m]
                and abs(detail[n] - detail[m]) <= _SAME_RESOLUTION
            ),
            contest.at_its_scale,
            n,
        )
    }
    enlarged.update(_enlarged_from(contest))
    return [0.0 if n in enlarged else 1.0 for n in everyone]


def _has_source(sources: Iterable[int], at_its_scale: Sequence[int], place: int) -> bool:
    """True when more show things as large as one of the sources than as the one in doubt.

    Nobody enlarges a picture and makes all the other copies, and crops, of that.
    """
    return any(at_its_scale[source] >= at_its_scale[place] for source in sources)


def _native_words(contest: Contest, winner: int, losers: Places) -> str:
    larger = max(losers, key=contest.pixels.__getitem__)
    return (
        f"not enlarged: {size_words(contest, winner)}; {size_words(contest, larger)} shows no more"
    )


def _pixels(contest: Contest, places: Places) -> Scores:
    return [math.log(max(1, contest.pixels[n])) for n in places]


def _colour(contest: Contest, places: Places) -> Scores:
    values = contest.quality("colourfulness")
    most = max(values)
    if most < _COLOUR_FROM:
        return [0.0] * len(places)
    return [float(values[n] > _GREY_BELOW * most) for n in places]


def _colour_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"in colour; {others(contest, losers)} {'is' if len(losers) == 1 else 'are'} grey"


def _proportions(contest: Contest, places: Places) -> Scores:
    return [contest.same_proportions[n] for n in places]


def _proportions_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"the proportions that most have; {others(contest, losers)} stretched"


def _orientation(contest: Contest, places: Places) -> Scores:
    return [contest.same_orientation[n] for n in places]


def _orientation_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"the way round that most are; {others(contest, losers)} turned or mirrored"


def _tone(contest: Contest, places: Places) -> Scores:
    return [-contest.tone_distance[n] for n in places]


def _tone_words(contest: Contest, winner: int, losers: Places) -> str:
    return "brightness and colour nearest to all the others"


def _untouched_tone(contest: Contest, places: Places) -> Scores:
    gaps, clipped = contest.quality("histogram_gaps"), contest.quality("clipped")
    return [-(gaps[n] + clipped[n]) for n in places]


def _untouched_tone_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"full range of tones; {others(contest, losers)} stretched or clipped"


def _typical_detail(contest: Contest, places: Places) -> Scores:
    """How near noise and sharpness are to the middle of those in the running.

    Noise, blur and sharpening each move one copy away from what the others have in common.
    """
    if len(places) < 3:
        return [math.nan] * len(places)
    noise = [math.log(1.0 + contest.quality("noise")[n]) for n in places]
    sharpness = [0.5 * math.log(1.0 + contest.quality("sharpness")[n]) for n in places]
    middle_noise, middle_sharpness = median(noise), median(sharpness)
    return [
        -max(abs(grain - middle_noise), abs(edges - middle_sharpness))
        for grain, edges in zip(noise, sharpness, strict=True)
    ]


def _added_grain(contest: Contest, places: Places) -> Scores:
    """How far the noise is above that which several of the others have in common.

    Those that lost before count too: a turned copy has the grain of the original nevertheless.
    Compression and blur take grain away, each by another amount, so an original may well have the
    most. But where two and more others agree on less, grain was added to the one that has more.
    Coarse compression takes grain away: its level is no witness. Where three agree all the same,
    it was not compression that made them equal.
    """
    least = _SAME_SIZE * max(contest.pixels[n] for n in places)
    peers = [n for n, pixels in enumerate(contest.pixels) if pixels > least]
    noise = [math.log(_LEAST_NOISE + level) for level in contest.quality("noise")]
    quality, grid = contest.quality("jpeg_quality"), contest.quality("blockiness")
    fair = [n for n in peers if quality[n] == 0 or quality[n] >= _COARSE_JPEG]
    fine = [n for n in fair if quality[n] == 0 or quality[n] >= _FINE_JPEG]
    keeps_grain = [n for n in fine if grid[n] < _WEAK_GRID]
    excess = dict.fromkeys(places, 0.0)
    for n in peers:
        # The copy's grain is all its own: nothing was added between the two.
        if n not in excess or contest.lossless_twins[n]:
            continue
        shared = max(
            _highest_shared([noise[m] for m in keeps_grain if m != n], 2, _SAME_GRAIN),
            _highest_shared([noise[m] for m in fair if m != n], 3, _NEARLY_SAME_GRAIN),
        )
        if shared > -math.inf:
            excess[n] = max(0.0, noise[n] - shared)
    return [-excess[n] for n in places]


def _highest_shared(levels: list[float], count: int, within: float) -> float:
    """The highest level that so many share, but for `within`; -inf where they do not."""
    levels = sorted(levels, reverse=True)
    for highest, lowest in zip(levels, levels[count - 1 :], strict=False):
        if highest - lowest <= within:
            return highest
    return -math.inf


def _added_grain_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"natural grain; {others(contest, losers)} made noisy"


def _typical_detail_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"grain and sharpness as in most; {others(contest, losers)} blurred, sharpened or noisy"


def _low_noise(contest: Contest, places: Places) -> Scores:
    return [-math.log(1.0 + contest.quality("noise")[n]) for n in places]


def _low_noise_words(contest: Contest, winner: int, losers: Places) -> str:
    return "least noise"


def _sharpness(contest: Contest, places: Places) -> Scores:
    return [math.log(1.0 + contest.quality("sharpness")[n]) for n in places]


def _sharpness_words(contest: Contest, winner: int, losers: Places) -> str:
    return "sharpest"


FRAME = Rule("frame", _frame, 0.012, _frame_words)
CLEAN = Rule("clean", _clean, 0.003, _clean_words)
DETAIL = Rule("detail", _detail, _SAME_RESOLUTION, _detail_words)
NATIVE = Rule("native", _native, 0.5, _native_words)
PIXELS = Rule("pixels", _pixels, _SAME_RESOLUTION, _detail_words)
PROPORTIONS = Rule("proportions", _proportions, 0.5, _proportions_words)
COLOUR = Rule("colour", _colour, 0.5, _colour_words)
ORIENTATION = Rule("orientation", _orientation, 0.5, _orientation_words)
TONE = Rule("tone", _tone, 0.22, _tone_words)
UNTOUCHED_TONE = Rule("untouched_tone", _untouched_tone, 0.05, _untouched_tone_words)
ADDED_GRAIN = Rule("added_grain", _added_grain, 0.38, _added_grain_words)
TYPICAL_DETAIL = Rule("typical_detail", _typical_detail, 0.10, _typical_detail_words)
LOW_NOISE = Rule("low_noise", _low_noise, 0.10, _low_noise_words)
SHARPNESS = Rule("sharpness", _sharpness, 0.05, _sharpness_words)
