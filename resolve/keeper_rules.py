"""The rules that tell an original from what was made of it, in the order they are asked.

To change what counts first, reorder `KEEPER_RULES`; to change how clearly worse a loser must be,
change a slack. Scores are higher for better; a slack is in the unit of its score.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resolve.blobs import SAME_AGE_SECONDS
from resolve.contest import Contest
from storage.records import ImageRecord

F64 = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing to compare candidates by.

    Attributes:
        name: for logs and for reordering.
        scores: of the candidates at these places, float64 (n,), higher is better; NaN is unknown.
            It may look at the whole contest, but ranks these.
        slack: a candidate this much below the best is still as good.
        words: why the winner at that place beat the losers, in a photographer's words.
    """

    name: str
    scores: Callable[[Contest, Places], F64]
    slack: float
    words: Callable[[Contest, int, Places], str]


# 10 % of the pixels: crops of a few rows and rounding of resizes are no difference in resolution.
_SAME_RESOLUTION = float(-np.log(0.9))
_NO_TEXTURE_BANDWIDTH = 0.02
# Noise and the edges of JPEG's blocks are signal up to the Nyquist frequency to a measure of
# bandwidth: at quality 60 and below, a soft picture measured as sharp to the last pixel.
_NOISIER = 1.5
_NOISE_FLOOR = 1.0
_COARSE_JPEG = 70.0
_STRONG_GRID = 0.45
_SHARP_TO_THE_PIXEL, _SOFT = 0.9, 0.85
_ENLARGED = 1.3
_GREY_BELOW = 0.15
_COLOUR_FROM = 6.0
_GRID_SEEN = 0.05
_LEAST_GRID = 0.02
_SAME_QUALITY = 3.0
_SAME_GRID = 0.1
_SAME_SHARPNESS = 0.03
_LOSSLESS = frozenset(("PNG", "BMP", "TIFF"))
_CAMERA_FORMATS = frozenset(("JPEG", "MPO", "HEIF", "TIFF"))


def _frame(contest: Contest, places: Places) -> F64:
    return -contest.missing_share()[places]


def _frame_words(contest: Contest, winner: int, losers: Places) -> str:
    missing = float(contest.missing_share()[losers].max())
    return f"shows the whole frame; {_others(contest, losers)} up to {100 * missing:.0f} % less"


def _clean(contest: Contest, places: Places) -> F64:
    return -contest.worst_measured("overlay_on_a", "border_on_a")[places]


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
    return f"clean; {_others(contest, losers)} {has} {' or '.join(found) or 'something added'}"


def _detail(contest: Contest, places: Places) -> F64:
    """Logarithm of the pixels that carry detail: an enlarged copy has no more than its source."""
    bandwidth = np.array([_linear_detail(record) for record in contest.records])
    noise = contest.quality("noise")
    quality = contest.quality("jpeg_quality")
    misleading = (
        (noise > _NOISIER * float(np.median(noise)) + _NOISE_FLOOR)
        | ((quality > 0) & (quality < _COARSE_JPEG))
        | (contest.quality("blockiness") > _STRONG_GRID)
    )
    size = np.array([np.sqrt(record.width * record.height) for record in contest.records])
    detail = size * bandwidth
    if misleading.any() and not misleading.all():
        detail[misleading] = np.minimum(detail[misleading], np.median(detail[~misleading]))
    return np.asarray(2.0 * np.log(np.maximum(1.0, detail)))[places]


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
            f"most detail: {_size(contest, winner)}; {_size(contest, int(larger))} "
            f"{'was enlarged' if pixels[larger] > 1.1 * pixels[winner] else 'is softer'}"
        )
    return (
        f"largest: {_size(contest, winner)}, {_others(contest, losers)} {_sizes(contest, losers)}"
    )


def _native(contest: Contest, places: Places) -> F64:
    """0 for pictures that are enlarged copies of another of the same detail, else 1.

    Of two sizes with the same detail the larger was enlarged if the smaller is sharp to its last
    pixel. If the smaller is soft too, it was made by reducing a soft original.
    """
    everyone = np.arange(len(contest))
    detail = _detail(contest, everyone)
    pixels = np.array([record.width * record.height for record in contest.records])
    finest = np.array([_linear_detail(record) for record in contest.records])
    source = finest >= _SHARP_TO_THE_PIXEL
    enlarged = np.array(
        [
            finest[n] < _SOFT
            and (
                source
                & (pixels[n] > _ENLARGED * pixels)
                & (np.abs(detail[n] - detail) <= _SAME_RESOLUTION)
            ).any()
            for n in everyone
        ]
    )
    return np.where(enlarged, 0.0, 1.0)[places]


def _native_words(contest: Contest, winner: int, losers: Places) -> str:
    pixels = [contest.records[n].width * contest.records[n].height for n in losers]
    larger = int(losers[int(np.argmax(pixels))])
    return f"not enlarged: {_size(contest, winner)}; {_size(contest, larger)} shows no more"


def _pixels(contest: Contest, places: Places) -> F64:
    return np.log([max(1, contest.records[n].width * contest.records[n].height) for n in places])


def _colour(contest: Contest, places: Places) -> F64:
    values = contest.quality("colourfulness")
    most = float(values.max())
    if most < _COLOUR_FROM:
        return np.zeros(len(places))
    return np.asarray(values > _GREY_BELOW * most, dtype=np.float64)[places]


def _colour_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"in colour; {_others(contest, losers)} {'is' if len(losers) == 1 else 'are'} grey"


def _orientation(contest: Contest, places: Places) -> F64:
    return contest.same_orientation()[places]


def _orientation_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"the way round that most are; {_others(contest, losers)} turned or mirrored"


def _tone(contest: Contest, places: Places) -> F64:
    return -np.log(2.0 + contest.tone_distance())[places]


def _tone_words(contest: Contest, winner: int, losers: Places) -> str:
    return "brightness and colour nearest to all the others"


def _untouched_tone(contest: Contest, places: Places) -> F64:
    return -(contest.quality("histogram_gaps") + contest.quality("clipped"))[places]


def _untouched_tone_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"full range of tones; {_others(contest, losers)} stretched or clipped"


def _generation(contest: Contest, places: Places) -> F64:
    """0 for what was saved again from a JPEG that is among the candidates, else 1."""
    grids = contest.quality("blockiness")
    qualities = contest.quality("jpeg_quality")
    seen = grids[qualities > 0]
    limit = _GRID_SEEN
    if seen.size and seen.max() > _LEAST_GRID:
        limit = min(limit, max(_LEAST_GRID, 0.5 * float(seen.max())))
    derived = (grids > limit) & (qualities == 0)
    for n in np.flatnonzero(qualities > 0):
        derived[n] |= _was_saved_again(contest, int(n))
    return np.where(derived, 0.0, 1.0)[places]


def _was_saved_again(contest: Contest, place: int) -> bool:
    """True when a JPEG has the grid and the detail of one of lower quality.

    Saved at a higher quality it keeps the traces of the lower. Had the lower one been made from it,
    its grid would be clearly stronger.
    """
    own = contest.records[place].quality
    for record in contest.records:
        other = record.quality
        if (
            0 < other.jpeg_quality < own.jpeg_quality - _SAME_QUALITY
            and other.blockiness > _LEAST_GRID
            and abs(np.log(max(own.blockiness, 1e-3) / other.blockiness)) < _SAME_GRID
            and abs(np.log((1 + own.sharpness) / (1 + other.sharpness))) < _SAME_SHARPNESS
        ):
            return True
    return False


def _generation_words(contest: Contest, winner: int, losers: Places) -> str:
    names = _formats(contest, losers)
    return f"first generation; {_others(contest, losers)} ({names}) saved again from a JPEG"


def _compression(contest: Contest, places: Places) -> F64:
    return np.array([_saved_quality(contest.records[n]) for n in places])


def _saved_quality(record: ImageRecord) -> float:
    """On the scale of JPEG's quality; unknown for formats that do not say."""
    if record.quality.jpeg_quality > 0:
        return float(record.quality.jpeg_quality)
    return 100.0 if record.format in _LOSSLESS else float("nan")


def _compression_words(contest: Contest, winner: int, losers: Places) -> str:
    low = [_saved_quality(contest.records[n]) for n in losers]
    return (
        f"least compressed: {_saved_as(contest.records[winner])}, "
        f"{_others(contest, losers)} {_span([round(value) for value in low], '')}"
    )


def _saved_as(record: ImageRecord) -> str:
    quality = record.quality.jpeg_quality
    return f"{record.format} quality {quality}" if quality else f"{record.format}, lossless"


def _camera_data(contest: Contest, places: Places) -> F64:
    """What a camera writes; whoever still has it was not saved by a program that dropped it."""
    scores = []
    for record in (contest.records[n] for n in places):
        data = record.metadata
        scores.append(2.0 * bool(data.taken_at or data.camera) + 0.5 * data.has_icc)
    return np.array(scores)


def _metadata(contest: Contest, places: Places) -> F64:
    """The rest of it; a program's name without a camera's is a sign of editing."""
    scores = []
    for record in (contest.records[n] for n in places):
        data = record.metadata
        scores.append(
            0.5 * bool(data.taken_at and data.camera)
            + 0.5 * data.has_gps
            + 0.5 * data.has_exif
            - 0.5 * bool(data.software and not data.camera)
        )
    return np.array(scores)


def _metadata_words(contest: Contest, winner: int, losers: Places) -> str:
    data = contest.records[winner].metadata
    told = [printable(text) for text in (data.camera, data.taken_at) if text]
    return f"camera data intact ({', '.join(told)})" if told else "most of its metadata intact"


def _camera_format(contest: Contest, places: Places) -> F64:
    """Cameras write JPEG, HEIF and TIFF; web services write WebP, AVIF and GIF."""
    ranks = {"GIF": 0.0, "WEBP": 1.0, "AVIF": 1.0}
    default = dict.fromkeys(_CAMERA_FORMATS, 2.0)
    return np.array([(default | ranks).get(contest.records[n].format, 1.5) for n in places])


def _camera_format_words(contest: Contest, winner: int, losers: Places) -> str:
    return (
        f"saved as {contest.records[winner].format}; "
        f"{_others(contest, losers)} as {_formats(contest, losers)}"
    )


def _typical_detail(contest: Contest, places: Places) -> F64:
    """How near noise and sharpness are to the middle of those in the running.

    Noise, blur and sharpening each move one copy away from what the others have in common.
    """
    if len(places) < 3:
        return np.full(len(places), np.nan)
    noise = np.log(1.0 + contest.quality("noise")[places])
    sharpness = 0.5 * np.log(1.0 + contest.quality("sharpness")[places])
    away = np.maximum(np.abs(noise - np.median(noise)), np.abs(sharpness - np.median(sharpness)))
    return np.asarray(-away)


def _typical_detail_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"grain and sharpness as in most; {_others(contest, losers)} blurred, sharpened or noisy"


def _low_noise(contest: Contest, places: Places) -> F64:
    return -np.log(1.0 + contest.quality("noise")[places])


def _low_noise_words(contest: Contest, winner: int, losers: Places) -> str:
    return "least noise"


def _sharpness(contest: Contest, places: Places) -> F64:
    return np.log(1.0 + contest.quality("sharpness")[places])


def _sharpness_words(contest: Contest, winner: int, losers: Places) -> str:
    return "sharpest"


def _age(contest: Contest, places: Places) -> F64:
    days = np.array([contest.candidates[n].last_modified for n in places]) / SAME_AGE_SECONDS
    return -days


def _age_words(contest: Contest, winner: int, losers: Places) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(contest.candidates[winner].last_modified))
    return f"oldest file: {day}"


def _name(contest: Contest, places: Places) -> F64:
    keys = [(len(contest.candidates[n].uri), contest.candidates[n].uri) for n in places]
    order = sorted(range(len(places)), key=lambda number: keys[number])
    ranks = np.empty(len(places))
    ranks[order] = -np.arange(len(places), dtype=np.float64)
    return ranks


def _name_words(contest: Contest, winner: int, losers: Places) -> str:
    return "as good as the others; first by name"


def printable(text: str) -> str:
    """What a file says of itself, without control characters and not too long."""
    return "".join(letter for letter in text if letter.isprintable())[:80]


def _others(contest: Contest, losers: Places) -> str:
    if len(contest) == 2:
        return "the other"
    if len(losers) == 1:
        return "one of the others"
    return "the others" if len(losers) == len(contest) - 1 else f"{len(losers)} of the others"


def _size(contest: Contest, place: int) -> str:
    return f"{contest.records[place].width}×{contest.records[place].height}"


def _sizes(contest: Contest, losers: Places) -> str:
    ordered = sorted(losers, key=lambda n: contest.records[n].width * contest.records[n].height)
    low, high = _size(contest, int(ordered[0])), _size(contest, int(ordered[-1]))
    return low if low == high else f"{low} to {high}"


def _span(values: list[int], unit: str) -> str:
    low, high = min(values), max(values)
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"


def _formats(contest: Contest, losers: Places) -> str:
    return ", ".join(dict.fromkeys(contest.records[n].format for n in losers))


KEEPER_RULES: tuple[Rule, ...] = (
    Rule("frame", _frame, 0.012, _frame_words),
    Rule("clean", _clean, 0.003, _clean_words),
    Rule("detail", _detail, _SAME_RESOLUTION, _detail_words),
    Rule("native", _native, 0.5, _native_words),
    Rule("pixels", _pixels, _SAME_RESOLUTION, _detail_words),
    Rule("colour", _colour, 0.5, _colour_words),
    Rule("camera_data", _camera_data, 0.4, _metadata_words),
    Rule("orientation", _orientation, 0.5, _orientation_words),
    Rule("tone", _tone, 0.15, _tone_words),
    Rule("untouched_tone", _untouched_tone, 0.05, _untouched_tone_words),
    Rule("generation", _generation, 0.5, _generation_words),
    Rule("compression", _compression, _SAME_QUALITY, _compression_words),
    Rule("typical_detail", _typical_detail, 0.10, _typical_detail_words),
    Rule("metadata", _metadata, 0.4, _metadata_words),
    Rule("camera_format", _camera_format, 0.4, _camera_format_words),
    Rule("low_noise", _low_noise, 0.10, _low_noise_words),
    Rule("sharpness", _sharpness, 0.05, _sharpness_words),
)

# These only break ties and are given as a reason only where nothing else tells.
LAST_RULES: tuple[Rule, ...] = (
    Rule("age", _age, 1.0, _age_words),
    Rule("name", _name, 0.5, _name_words),
)
