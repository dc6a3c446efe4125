"""Draws the pictures of docs/verification.md: pairs, their matches, aligned pixels and verdicts.

python -m benchmarks.verification_pictures docs/images
"""

from __future__ import annotations

import hashlib
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import CHAINS, OVERLAYS, chain, jpeg
from benchmarks.evaluation_set.lookalikes import (
    burst_frames_with_a_moved_object,
    photographs_of_a_label_with_another_number,
)
from benchmarks.evaluation_set.photographs import photograph
from indexer.extract import ExtractOptions, extract
from resolve.verdicts import verify_image
from verify.alignment import EQUAL_FRAMES, Aligner, Proposal, refined
from verify.cascade import Verifier
from verify.evidence import VerifyImage, measure
from verify.geometry import project
from verify.matchers.orb import OrbMatcher
from verify.residual import measure_residual
from verify.verdict import Verdict
from verify.warp import align_pixels

U8 = NDArray[np.uint8]

_SHOWN_MATCHES = 40


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A pair and what verification made of it."""

    title: str
    a: VerifyImage
    b: VerifyImage
    proposal: Proposal
    verdict: Verdict


def _indexed(rgb: U8, quality: int) -> VerifyImage:
    """A picture as verification gets it, after the pass over its file."""
    done, saved = cv2.imencode(
        ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise SystemExit("OpenCV cannot write JPEG")
    content = saved.tobytes()
    extracted = extract(
        content, hashlib.sha256(content).digest(), ExtractOptions(network_inputs=())
    )
    return verify_image(extracted.preview, extracted.record)


def case(title: str, a: U8, b: U8) -> Case:
    """Verifies a pair, both saved as JPEG first."""
    first, second = _indexed(a, 92), _indexed(b, 85)
    aligner = Aligner((OrbMatcher(),))
    proposal = next(
        aligner.proposals(first.rgb, second.rgb, first.record.digest, second.record.digest)
    )
    verdict = Verifier((OrbMatcher(),)).verify(first, second)
    return Case(title, first, second, proposal, verdict)


def cases() -> list[Case]:
    """Two copies and two look-alikes."""
    random = np.random.default_rng(4)
    cup, temple, portrait = (
        photograph(name) for name in ("coffee.png", "china.jpg", "astronaut.png")
    )
    first, second = burst_frames_with_a_moved_object(np.random.default_rng(2), 2, [temple, cup])
    label, other = photographs_of_a_label_with_another_number(np.random.default_rng(5), 2, [temple])
    marked: Callable[[U8, np.random.Generator], U8] = chain(OVERLAYS["text"], jpeg(60))
    return [
        case("cropped, recoloured, reduced, compressed",
             cup, CHAINS["crop, warm, resize, jpeg"](cup, random)),
        case("text laid over it", portrait, marked(portrait, random)),
        case("two frames of a burst", first, second),
        case("another number on a label", label, other),
    ]  # fmt: skip


def draw_cases(found: list[Case], path: Path) -> None:
    """One row for each case: both pictures, the second on the grid of the first, the residual."""
    figure = Figure(figsize=(11.0, 2.25 * len(found)), layout="constrained")
    axes = figure.subplots(len(found), 4, squeeze=False)
    for row, one in zip(axes, found, strict=True):
        homography = one.proposal.homography
        if one.proposal.method != EQUAL_FRAMES:
            homography, _ = refined(one.a.rgb, one.b.rgb, homography)
        pair = align_pixels(one.a.rgb, one.b.rgb, homography)
        evidence = measure(one.a, one.b, one.proposal, homography)
        if pair is None or evidence is None:
            raise SystemExit(f"{one.title}: the two hardly overlap")
        residual = measure_residual(pair)
        shown = np.clip(np.abs(residual.a - residual.b) * 4, 0, 255).astype(np.uint8)
        shown = np.repeat((255 - shown)[..., None], 3, axis=2)
        shown[~pair.mask] = 225
        seen = cv2.dilate(residual.unexplained.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        shown[seen] = (220, 30, 30)
        answer = one.verdict.relation.value if one.verdict.is_copy else "different: stays"
        for axis, (image, title) in zip(
            row,
            (
                (one.a.rgb, "a"),
                (one.b.rgb, f"b: {one.title}"),
                (residual.grading.b, "on one grid, in one grading"),
                (shown, f"{answer}\n{textwrap.fill(one.verdict.reason, 52)}"),
            ),
            strict=True,
        ):
            axis.imshow(image)
            axis.set_title(title, fontsize=8)
            axis.axis("off")
    figure.savefig(path, dpi=110, pil_kwargs={"quality": 80})


def draw_matches(one: Case, path: Path) -> None:
    """Both pictures with lines between the keypoints that agree with the map."""
    matcher = OrbMatcher()
    matches = matcher.match(matcher.detect(one.a.rgb), matcher.detect(one.b.rgb))
    moved = project(one.proposal.homography, matches.points_a)
    agreeing = np.linalg.norm(moved - matches.points_b, axis=1) < 3.0
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    axis = figure.subplots()
    height = max(one.a.rgb.shape[0], one.b.rgb.shape[0])
    width = one.a.rgb.shape[1] + 20 + one.b.rgb.shape[1]
    canvas = np.full((height, width, 3), 255, np.uint8)
    offset = one.a.rgb.shape[1] + 20
    canvas[: one.a.rgb.shape[0], : one.a.rgb.shape[1]] = one.a.rgb
    canvas[: one.b.rgb.shape[0], offset:] = one.b.rgb
    axis.imshow(canvas)
    for group, colour, alpha in ((~agreeing, "#c02020", 0.35), (agreeing, "#20b050", 0.7)):
        places = np.flatnonzero(group)
        for place in places[:: max(1, len(places) // _SHOWN_MATCHES)]:
            (xa, ya), (xb, yb) = matches.points_a[place], matches.points_b[place]
            axis.plot([xa, xb + offset], [ya, yb], color=colour, alpha=alpha, linewidth=0.7)
    axis.set_title(
        f"{len(matches)} matches of ORB keypoints, {int(agreeing.sum())} agree with one map",
        fontsize=9,
    )
    axis.axis("off")
    figure.savefig(path, dpi=110, pil_kwargs={"quality": 80})


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    found = cases()
    draw_matches(found[0], folder / "verification-matches.jpg")
    draw_cases(found, folder / "verification-cases.jpg")
    for one in found:
        print(f"{one.title}: {one.verdict.relation.value}, {one.verdict.reason}")


if __name__ == "__main__":
    main()
