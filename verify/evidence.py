"""What is measured of an aligned pair, before anything is decided."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from storage.records import ImageRecord
from verify.alignment import Proposal
from verify.coverage import FrameShare, frame_share
from verify.geometry import F64, Size, inverse, local_scale, project, scaling_matrix, size_of
from verify.grading import Tones
from verify.ground import ground_share, ground_tint, paper_share
from verify.imitation import Imitation
from verify.overlay import Changes, find_changes
from verify.residual import Residual, measure_residual
from verify.saving import Saving
from verify.warp import AlignedPair, align_pixels

U8 = NDArray[np.uint8]

# From here on, print is legible enough: no row of the table asks for more.
_PRINT_SIDE = 360
# A share of ground up to which no row of the table asks for its colour.
_GROUNDED = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class VerifyImage:
    """What verification needs of an image.

    Attributes:
        rgb: the preview, uint8 (h, w, 3), sRGB.
        record: its record.
        profile: the ICC profile that the colours were brought to sRGB from; empty without one.
    """

    rgb: U8
    record: ImageRecord
    profile: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the aligned pixels of a pair show.

    Attributes:
        proposal: where the map came from.
        homography: pixels of a's preview to pixels of b's, float64 (3, 3).
        transform: the same between the full images.
        scale: full pixels of b for one of a, as a length.
        pair: the two on one grid.
        saving: how the more coarsely saved one was saved.
        residual: the difference of the pixels.
        changes: the places that are not explained by it.
        grid_side: longer side of the grid on which the pixels were compared.
        paper: how much of the picture is like paper; 0 where the grid is large enough to read.
        ground: how much of it is one even ground.
        ground_tint: how far the colour of a ground moved otherwise than with all colours, grey
            levels; 0 where there is hardly any ground.
    """

    proposal: Proposal
    homography: F64
    transform: F64
    scale: float
    pair: AlignedPair
    saving: Saving
    residual: Residual
    changes: Changes
    grid_side: int
    paper: float
    ground: float
    ground_tint: float


@dataclass(frozen=True, slots=True)
class Frames:
    """How much of each frame the other one shows."""

    a: FrameShare
    b: FrameShare


def measure(a: VerifyImage, b: VerifyImage, proposal: Proposal, homography: F64) -> Evidence | None:
    """Compares the pixels under one map; None when the two hardly overlap."""
    pair = align_pixels(a.rgb, b.rgb, homography)
    if pair is None:
        return None
    saving = Saving.of(a.record, b.record, _scales(a, b, pair))
    residual = measure_residual(pair, saving)
    transform = _full_transform(a, b, homography)
    scale = _full_scale(a, b, transform)
    return _evidence_of(pair, saving, residual, proposal, homography, transform, scale)


def measure_imitation(before: Evidence, imitation: Imitation) -> Evidence:
    """Compares the pixels once more, with one of the two edited (`verify.imitation`).

    Tones and sharpness stay those of the two as they are: by them the better one is chosen.
    """
    residual = measure_residual(imitation.pair, least_noise=imitation.least_noise)
    grading = replace(
        residual.grading,
        change=max(residual.grading.change, before.residual.grading.change),
        tones_a=before.residual.grading.tones_a,
        tones_b=before.residual.grading.tones_b,
    )
    blur = max(imitation.blur, before.residual.blur, residual.blur, key=abs)
    return _evidence_of(
        imitation.pair,
        before.saving,
        replace(residual, grading=grading, blur=blur),
        before.proposal,
        before.homography,
        before.transform,
        before.scale,
    )


def _evidence_of(
    pair: AlignedPair,
    saving: Saving,
    residual: Residual,
    proposal: Proposal,
    homography: F64,
    transform: F64,
    scale: float,
) -> Evidence:
    grid_side = max(pair.mask.shape)
    ground = ground_share(residual)
    return Evidence(
        proposal=proposal,
        homography=homography,
        transform=transform,
        scale=scale,
        pair=pair,
        saving=saving,
        residual=residual,
        changes=find_changes(pair, residual),
        grid_side=grid_side,
        paper=paper_share(pair, residual) if grid_side < _PRINT_SIDE else 0.0,
        ground=ground,
        ground_tint=ground_tint(pair, residual) if ground > _GROUNDED else 0.0,
    )


def measure_frames(a: VerifyImage, b: VerifyImage, homography: F64) -> Frames:
    """What each of the two shows of the other's frame."""
    return Frames(
        frame_share(a.rgb, size_of(b.rgb), homography),
        frame_share(b.rgb, size_of(a.rgb), inverse(homography)),
    )


def measurements(evidence: Evidence) -> dict[str, float]:
    """The measurements by name, as a verdict carries them."""
    residual, changes = evidence.residual, evidence.changes
    overlaid = changes.region_share
    return {
        "inliers": float(evidence.proposal.inliers),
        "coarse_agreement": evidence.proposal.agreement,
        "agreement": changes.agreement_elsewhere,
        "disagreement": residual.disagreeing,
        "worst_window": changes.worst_elsewhere,
        "textured_tiles": float(residual.textured_tiles),
        "textured_share": residual.textured_share,
        "noise": residual.noise,
        "softer_a": max(0.0, -residual.blur),
        "softer_b": max(0.0, residual.blur),
        "tone_change": residual.grading.change,
        "saturation": residual.grading.saturation,
        "colour_shift": residual.grading.shift,
        **_tones(residual.grading.tones_a, "a"),
        **_tones(residual.grading.tones_b, "b"),
        "recolouring": residual.grading.recolouring,
        "changed_share": changes.changed_share,
        "opposed": changes.opposed,
        "worst_place": changes.worst_place,
        "outlined": changes.outlined,
        "sharply_outlined": changes.sharply_outlined,
        "translucency": changes.translucency,
        "detail_kept": changes.detail_kept,
        "detail_added": changes.detail_added,
        "solid_share": changes.solid_share,
        "textured_solid_share": changes.textured_solid_share,
        "spotted": changes.spotted,
        "paper": changes.paper,
        "paper_around": changes.paper_around,
        "extent": changes.extent,
        "line_extent": changes.line_extent,
        "beside": changes.beside,
        "places": float(changes.places),
        "overlay_on_a": 0.0 if changes.overlay_is_on_b else overlaid,
        "overlay_on_b": overlaid if changes.overlay_is_on_b else 0.0,
        "scale": evidence.scale,
    }


def _tones(tones: Tones, side: str) -> dict[str, float]:
    return {f"{name}_{side}": value for name, value in asdict(tones).items()}


def frame_measurements(frames: Frames) -> dict[str, float]:
    """The same of the frames."""
    return {
        "border_on_a": frames.a.margin,
        "border_on_b": frames.b.margin,
        "frame_share_a": frames.a.seen,
        "frame_share_b": frames.b.seen,
    }


def _scales(a: VerifyImage, b: VerifyImage, pair: AlignedPair) -> tuple[float, float]:
    """Pixels of the full image for one of the grid, as a length, of a and of b."""
    of_a, of_b = (image.record.width / size_of(image.rgb).width for image in (a, b))
    if pair.a_is_reference:
        return of_a, of_b * pair.reduction
    return of_a * pair.reduction, of_b


def _full_transform(a: VerifyImage, b: VerifyImage, homography: F64) -> F64:
    to_preview = scaling_matrix(Size(a.record.width, a.record.height), size_of(a.rgb))
    to_full = scaling_matrix(size_of(b.rgb), Size(b.record.width, b.record.height))
    full = to_full @ homography @ to_preview
    return np.asarray(full / full[2, 2])


def _full_scale(a: VerifyImage, b: VerifyImage, full: F64) -> float:
    """Full pixels of b for one full pixel of a, as a length, in the middle of what they share."""
    middle_b = np.array([[b.record.width / 2, b.record.height / 2]])
    middle = project(inverse(full), middle_b)[0]
    middle = np.clip(middle, [0, 0], [a.record.width - 1, a.record.height - 1])
    return local_scale(full, (float(middle[0]), float(middle[1])))
