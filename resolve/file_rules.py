"""Rules about how a picture was saved: generations, compression, metadata, age, name."""

from __future__ import annotations

import math
import time

from resolve.blobs import SAME_AGE_SECONDS
from resolve.contest import Contest, Scores
from resolve.rule import Places, Rule, formats, others, printable, span
from storage.records import ImageRecord

_GRID_SEEN = 0.05
_LEAST_GRID = 0.02
_SAME_QUALITY = 3.0
_WITHOUT_LOSS = 100.0
_SAME_GRID = 0.2
_SAME_SHARPNESS = 0.1
# A grid in a JPEG of such quality is older than the file: it does not tell what that was made from.
_LEAVES_NO_GRID = 88.0
_LOSSLESS = frozenset(("PNG", "BMP", "TIFF"))
_CHROMA_RANKS = {"4:4:4": 2.0, "4:2:2": 1.0, "4:4:0": 1.0, "4:2:0": 0.0, "4:1:1": 0.0}
_FORMAT_RANKS = dict.fromkeys(("JPEG", "MPO", "HEIF", "TIFF"), 2.0) | {
    "GIF": 0.0,
    "WEBP": 1.0,
    "AVIF": 1.0,
}


def _generation(contest: Contest, places: Places) -> Scores:
    of_all = contest.once("generation", _generation_of_all)
    return [of_all[n] for n in places]


def _generation_of_all(contest: Contest) -> Scores:
    """0 for what was saved again from a JPEG that is among the candidates, else 1."""
    grids = contest.quality("blockiness")
    qualities = contest.quality("jpeg_quality")
    strongest = max(
        (grid for grid, quality in zip(grids, qualities, strict=True) if quality > 0), default=0.0
    )
    limit = _GRID_SEEN
    if strongest > _LEAST_GRID:
        limit = min(limit, max(_LEAST_GRID, 0.5 * strongest))
    return [
        0.0
        if (_was_saved_again(contest, n) if quality > 0 else quality == 0 and grid > limit)
        else 1.0
        for n, (grid, quality) in enumerate(zip(grids, qualities, strict=True))
    ]


def _source(contest: Contest, places: Places) -> Scores:
    """1 for what others were made from without loss; all are the same where nobody was."""
    return [float(bool(contest.lossless_twins[n])) for n in places]


def _source_words(contest: Contest, winner: int, losers: Places) -> str:
    twins = contest.lossless_twins[winner]
    return f"{others(contest, twins)} ({formats(contest, twins)}) made from it without loss"


def _was_saved_again(contest: Contest, place: int) -> bool:
    """True when a JPEG has the grid and the detail of one of lower quality.

    Saved at a higher quality it keeps the traces of the lower. Had the lower one been made from it,
    its grid would be clearly stronger.
    """
    own = contest.records[place].quality
    for record in contest.records:
        other = record.quality
        if (
            _chroma_rank(other.chroma_subsampling) >= _chroma_rank(own.chroma_subsampling)
            and 0 < other.jpeg_quality < min(_LEAVES_NO_GRID, own.jpeg_quality - _SAME_QUALITY)
            and other.blockiness > _LEAST_GRID
            and abs(math.log(max(own.blockiness, 1e-3) / other.blockiness)) < _SAME_GRID
            and abs(math.log((1 + own.sharpness) / (1 + other.sharpness))) < _SAME_SHARPNESS
        ):
            return True
    return False


def _chroma(contest: Contest, places: Places) -> Scores:
    """Most programs save with halved colour resolution; what has it in full was not made so."""
    ranks = [_chroma_rank(contest.records[n].quality.chroma_subsampling) for n in places]
    return [rank if rank >= 0 else math.nan for rank in ranks]


def _chroma_rank(subsampling: str) -> float:
    return _CHROMA_RANKS.get(subsampling, -1.0)


def _chroma_words(contest: Contest, winner: int, losers: Places) -> str:
    return f"colour at full resolution; {others(contest, losers)} with less"


def _generation_words(contest: Contest, winner: int, losers: Places) -> str:
    names = formats(contest, losers)
    return f"first generation; {others(contest, losers)} ({names}) saved again from a JPEG"


def _compression(contest: Contest, places: Places) -> Scores:
    saved = [_saved_quality(contest.records[n]) for n in places]
    if _WITHOUT_LOSS in saved:
        # Formats that do not say how much they lost have lost more than nothing.
        lossy = _WITHOUT_LOSS - 1.5 * _SAME_QUALITY
        return [lossy if math.isnan(quality) else quality for quality in saved]
    return saved


def _saved_quality(record: ImageRecord) -> float:
    """On the scale of JPEG's quality; unknown for formats that do not say."""
    if record.quality.jpeg_quality > 0:
        return float(record.quality.jpeg_quality)
    return _WITHOUT_LOSS if record.format in _LOSSLESS else float("nan")


def _compression_words(contest: Contest, winner: int, losers: Places) -> str:
    saved = [_saved_quality(contest.records[n]) for n in losers]
    low = [round(quality) for quality in saved if not math.isnan(quality)]
    told = span(low, "") if len(low) == len(saved) else formats(contest, losers)
    winning = _saved_as(contest.records[winner])
    return f"least compressed: {winning}, {others(contest, losers)} {told}"


def _saved_as(record: ImageRecord) -> str:
    quality = record.quality.jpeg_quality
    return f"{record.format} quality {quality}" if quality else f"{record.format}, lossless"


def _camera_data(contest: Contest, places: Places) -> Scores:
    """What a camera writes; whoever still has it was not saved by a program that dropped it."""
    scores = []
    for record in (contest.records[n] for n in places):
        data = record.metadata
        scores.append(2.0 * bool(data.taken_at or data.camera) + 0.5 * data.has_icc)
    return scores


def _metadata(contest: Contest, places: Places) -> Scores:
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
    return scores


def _metadata_words(contest: Contest, winner: int, losers: Places) -> str:
    data = contest.records[winner].metadata
    told = [printable(text) for text in (data.camera, data.taken_at) if text]
    return f"camera data intact ({', '.join(told)})" if told else "most of its metadata intact"


def _camera_format(contest: Contest, places: Places) -> Scores:
    """Cameras write JPEG, HEIF and TIFF; web services write WebP, AVIF and GIF."""
    return [_FORMAT_RANKS.get(contest.records[n].format, 1.5) for n in places]


def _camera_format_words(contest: Contest, winner: int, losers: Places) -> str:
    return (
        f"saved as {contest.records[winner].format}; "
        f"{others(contest, losers)} as {formats(contest, losers)}"
    )


def _age(contest: Contest, places: Places) -> Scores:
    return [-contest.candidates[n].files.last_modified / SAME_AGE_SECONDS for n in places]


def _age_words(contest: Contest, winner: int, losers: Places) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(contest.candidates[winner].files.last_modified))
    return f"oldest file: {day}"


def _name(contest: Contest, places: Places) -> Scores:
    uris = [contest.candidates[n].files.uri for n in places]
    keys = [(len(uri), uri) for uri in uris]
    ranks = [0.0] * len(places)
    for rank, number in enumerate(sorted(range(len(places)), key=keys.__getitem__)):
        ranks[number] = -float(rank)
    return ranks


def _name_words(contest: Contest, winner: int, losers: Places) -> str:
    return "as good as the others; first by name"


CAMERA_DATA = Rule("camera_data", _camera_data, 0.4, _metadata_words)
CHROMA = Rule("chroma", _chroma, 0.5, _chroma_words)
SOURCE = Rule("source", _source, 0.5, _source_words)
GENERATION = Rule("generation", _generation, 0.5, _generation_words)
COMPRESSION = Rule("compression", _compression, _SAME_QUALITY, _compression_words)
METADATA = Rule("metadata", _metadata, 0.4, _metadata_words)
CAMERA_FORMAT = Rule("camera_format", _camera_format, 0.4, _camera_format_words)
AGE = Rule("age", _age, 1.0, _age_words)
NAME = Rule("name", _name, 0.5, _name_words)
