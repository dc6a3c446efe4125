"""Rules about the picture itself: frame, marks, detail, colour, tone, noise."""

from __future__ import annotations

# Of a few numbers numpy's takes ten times as long.
from statistics import median

import numpy as np
from numpy.typing import NDArray

from resolve.contest import Contest
from resolve.rule import F64, Places, Rule, others, size_words, sizes_words
from storage.records import ImageRecord

# 10 % of the pixels: crops of a few rows and rounding of resizes are no difference in resolution.
_SAME_RESOLUTION = float(-np.log(0.9))
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


def _frame(contest: Contest, places: Places) -> F64:
    return -contest.missing_share[places]


def _frame_words(contest: Contest, winner: int, losers: Places) -> str:
    missing = float(contest.missing_share[losers].max())
    return f"shows the whole frame; {others(contest, losers)} up to {100 * missing:.0f} % less"


def _clean(contest: Contest, places: Places) -> F64:
    return -contest.added[places]


def _clean_words(contest: Contest, winner: int, losers: Places) -> str:
    found = [
        word
        for name, word in (
            ("overlay_on_a", "text or a mark on it"),
            ("border_on_a", "a border"),
        )
        if contest.worst_measured(name)[losers].max() > contest.worst_measured(name)[winner] + 0.003
    ]
    has = "has" if len(losers) == 1 else "have"
    return f"clean; {others(contest, losers)} {has} {' or '.join(found) or 'something added'}"


def _detail(contest: Contest, places: Places) -> F64:
    return contest.once("detail", _detail_of_all)[places]


def _detail_of_all(contest: Contest) -> F64:
    """Logarithm of the pixels that carry detail: an enlarged copy has no more than its source."""
    bandwidth = np.array([_linear_detail(record) for record in contest.records])
    noise = contest.quality("noise")
    quality = contest.quality("jpeg_quality")
    misleading = (
        (noise > _NOISIER * median(noise.tolist()) + _NOISE_FLOOR)
        | ((quality > 0) & (quality < _COARSE_JPEG))
        | (contest.quality("blockiness") > _STRONG_GRID)
    )
    size = np.array([np.sqrt(record.width * record.height) for record in contest.records])
    detail = size * bandwidth
    if misleading.any() and not misleading.all():
        # They cannot win by it; nor do they lose by it, for an original may well be the grainiest.
        detail[misleading] = np.minimum(detail[misleading], np.max(detail[~misleading]))
    pixels = np.array([record.width * record.height for record in contest.records])
    for n in np.argsort(pixels, kind="stable"):
        # What is no softer than a smaller one on the pixels has all its detail, whatever the
        # spectrum says.
        smaller = [m for m in contest.is_no_softer(int(n)) if pixels[m] <= pixels[n]]
        if smaller:
            detail[n] = max(detail[n], float(detail[smaller].max()))
    for n, sources in _enlarged_from(contest).items():
        # What each pixel of a source shows is spread over several; how many pixels a source has
        # says nothing, for there may be a screen around it.
        finest = max(detail[m] / size[m] / factor for m, factor in sources.items())
        detail[n] = min(detail[n], size[n] * finest)
    return np.asarray(2.0 * np.log(np.maximum(1.0, detail)))


def _enlarged_from(contest: Contest) -> dict[int, dict[int, float]]:
    """Candidates that were enlarged, as of `Contest.made_from`."""
    at_its_scale = contest.at_its_scale
    return {
        n: sources
        for n, sources in contest.made_from.items()
        if int(at_its_scale[[*sources]].max()) >= int(at_its_scale[n])
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
    pixels = np.array([record.width * record.height for record in contest.records])
    if pixels[losers].max() > 0.95 * pixels[winner]:
        larger = losers[np.argmax(pixels[losers])]
        return (
            f"most detail: {size_words(contest, winner)}; {size_words(contest, int(larger))} "
            f"{'was enlarged' if pixels[larger] > 1.1 * pixels[winner] else 'is softer'}"
        )
    sizes = sizes_words(contest, losers)
    return f"largest: {size_words(contest, winner)}, {others(contest, losers)} {sizes}"


def _native(contest: Contest, places: Places) -> F64:
    return contest.once("native", _native_of_all)[places]


def _native_of_all(contest: Contest) -> F64:
    """0 for pictures that are enlarged copies of another of the same detail, else 1.

    Of two sizes with the same detail the larger was enlarged if the smaller is sharp to its last
    pixel, or if the larger is smoother by far. If the smaller is soft too, it was made by reducing
    a soft original.
    """
    everyone = np.arange(len(contest))
    detail = _detail(contest, everyone)
    pixels = np.array([record.width * record.height for record in contest.records])
    finest = np.array([_linear_detail(record) for record in contest.records])
    source = finest >= _SHARP_TO_THE_PIXEL
    at_its_scale = contest.at_its_scale
    enlarged = np.array(
        [
            finest[n] < _SOFT
            and _has_source(
                source
                & (pixels[n] > _ENLARGED * pixels)
                & (np.abs(detail[n] - detail) <= _SAME_RESOLUTION),
                at_its_scale,
                int(n),
            )
            for n in everyone
        ]
    )
    enlarged[list(_enlarged_from(contest))] = True
    return np.where(enlarged, 0.0, 1.0)


def _has_source(sources: NDArray[np.bool_], at_its_scale: NDArray[np.int64], place: int) -> bool:
    """True when more show things as large as one of the sources than as the one in doubt.

    Nobody enlarges a picture and makes all the other copies, and crops, of that.
    """
    return bool(sources.any()) and int(at_its_scale[sources].max()) >= int(at_its_scale[place])


def _native_words(contest: Contest, winner: int, losers: Places) -> str:
    pixels = [contest.records[n].width * contest.records[n].height for n in losers]
    larger = int(losers[int(np.argmax(pixels))])
    return (
        f"not enlarged: {size_words(contest, winner)}; {size_words(contest, larger)} shows no more"
    )


def _pixels(contest: Contest, places: Places) -> F64:
    return np.log([max(1, contest.records[n].width * contest.records[n].height) for n in places])


def _colour(contest: Contest, places: Places) -> F64:
    values = contest.quality("colourfulness")
    most = float(values.max())
    if most < _COLOUR_FROM:
        return np.zeros(len(places))
    return np.asarray(values > _GREY_BELOW * most, dtype=np.float64)[places]


def _colour_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"in colour; {others(contest, losers)} {'is' if len(losers) == 1 else 'are'} grey"


def _proportions(contest: Contest, places: Places) -> F64:
    return contest.same_proportions[places]


def _proportions_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"the proportions that most have; {others(contest, losers)} stretched"


def _orientation(contest: Contest, places: Places) -> F64:
    return contest.same_orientation[places]


def _orientation_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"the way round that most are; {others(contest, losers)} turned or mirrored"


def _tone(contest: Contest, places: Places) -> F64:
    return -contest.tone_distance[places]


def _tone_words(contest: Contest, winner: int, losers: Places) -> str:
    return "brightness and colour nearest to all the others"


def _untouched_tone(contest: Contest, places: Places) -> F64:
    return -(contest.quality("histogram_gaps") + contest.quality("clipped"))[places]


def _untouched_tone_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"full range of tones; {others(contest, losers)} stretched or clipped"


def _typical_detail(contest: Contest, places: Places) -> F64:
    """How near noise and sharpness are to the middle of those in the running.

    Noise, blur and sharpening each move one copy away from what the others have in common.
    """
    if len(places) < 3:
        return np.full(len(places), np.nan)
    noise = np.log(1.0 + contest.quality("noise")[places])
    sharpness = 0.5 * np.log(1.0 + contest.quality("sharpness")[places])
    away = np.maximum(
        np.abs(noise - median(noise.tolist())), np.abs(sharpness - median(sharpness.tolist()))
    )
    return np.asarray(-away)


def _added_grain(contest: Contest, places: Places) -> F64:
    """How far the noise is above that which several of the others have in common.

    Those that lost before count too: a turned copy has the grain of the original nevertheless.
    Compression and blur take grain away, each by another amount, so an original may well have the
    most. But where two and more others agree on less, grain was added to the one that has more.
    Coarse compression takes grain away: its level is no witness. Where three agree all the same,
    it was not compression that made them equal.
    """
    pixels = np.array([record.width * record.height for record in contest.records])
    peers = np.flatnonzero(pixels > _SAME_SIZE * float(pixels[places].max()))
    noise = np.log(_LEAST_NOISE + contest.quality("noise"))
    quality = contest.quality("jpeg_quality")
    is_fine = (quality == 0) | (quality >= _FINE_JPEG)
    keeps_grain = (contest.quality("blockiness") < _WEAK_GRID) & is_fine
    is_fair = (quality == 0) | (quality >= _COARSE_JPEG)
    # The copy's grain is all its own: nothing was added between the two.
    has_twin = np.asarray(contest.lossless_twins.any(axis=1))
    excess = np.zeros(len(contest))
    for n in peers:
        if has_twin[n]:
            continue
        rest = peers[peers != n]
        shared = max(
            _highest_shared(noise[rest[keeps_grain[rest]]], 2, _SAME_GRAIN),
            _highest_shared(noise[rest[is_fair[rest]]], 3, _NEARLY_SAME_GRAIN),
        )
        if np.isfinite(shared):
            excess[n] = max(0.0, float(noise[n]) - shared)
    return np.asarray(-excess[places])


def _highest_shared(levels: F64, count: int, within: float) -> float:
    """The highest level that so many share, but for `within`; -inf where they do not."""
    levels = np.sort(levels)[::-1]
    if len(levels) < count:
        return float("-inf")
    spread = levels[: len(levels) - count + 1] - levels[count - 1 :]
    return float(levels[: len(spread)][spread <= within].max(initial=-np.inf))


def _added_grain_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"natural grain; {others(contest, losers)} made noisy"


def _typical_detail_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"grain and sharpness as in most; {others(contest, losers)} blurred, sharpened or noisy"


def _low_noise(contest: Contest, places: Places) -> F64:
    return -np.log(1.0 + contest.quality("noise")[places])


def _low_noise_words(contest: Contest, winner: int, losers: Places) -> str:
    return "least noise"


def _sharpness(contest: Contest, places: Places) -> F64:
    return np.log(1.0 + contest.quality("sharpness")[places])


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
