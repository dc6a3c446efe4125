"""What speaks against calling two aligned images copies; the gates that the evidence has to pass.

Each gate compares measurements with the table in `verify.calibration`. The first that fails names
the doubt; none of them can be made up for by another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.records import ImageRecord
from verify.calibration import Thresholds
from verify.close_look import CloseLook, detail_lost
from verify.evidence import Evidence
from verify.ground import sheet_share
from verify.overlay import Changes
from verify.residual import Residual

U8 = NDArray[np.uint8]

# Labels, forms, pages and charts have 0.79 to 0.95 of their pixels near one grey level; a
# photograph of a night sky 0.5.
_PRINT = 0.70
_GREY_PRINT, _ALL_OVER = 0.60, 0.70
_SAME_FRAME = 0.985
# How much of both is one even ground: of pages full of small print at least 0.58, however they were
# saved; of photographs with a sky or in the dark at most 0.54.
_SHEET = 0.56
# Pixels of the finer preview for one of the coarser from which on print gets lost.
_REDUCED = 1.1

TOO_SMALL = "too small to tell one print from another"
NO_TEXTURE = "too little texture to be sure"
# The pixels agree: two crops of one picture, say.
NEITHER_COVERS = "each shows something that the other does not"
# A screenshot that shows the picture larger than it is, or with buttons beside it.
CLEAN_ONE_STAYS = "one has empty margins around it, and the other does not show all of it"
# Of pictures that are the same, and neither of which may go for the other.
BOTH_STAY = frozenset((NEITHER_COVERS, CLEAN_ONE_STAYS))


def doubt_in_records(a: ImageRecord, b: ImageRecord) -> str:
    """Why no look at the pixels could prove a copy; empty when one could."""
    taken_a, taken_b = a.metadata.taken_at, b.metadata.taken_at
    if taken_a and taken_b and taken_a != taken_b:
        return "the two were taken at different times"
    if max(a.metadata.frames, b.metadata.frames) > 1:
        return "only the first of several frames was compared"
    return ""


def doubt_in_pixels(evidence: Evidence, limits: Thresholds) -> str:
    """Why the aligned pixels are no proof of a copy; empty when they are."""
    residual, changes = evidence.residual, evidence.changes
    if not _has_texture(residual, limits):
        return _doubt_without_texture(evidence, limits)
    if evidence.grid_side < limits.min_print_side and _is_print(evidence):
        return TOO_SMALL
    if residual.noise > limits.max_noise:
        return "the pictures differ all over"
    if changes.agreement_elsewhere < limits.min_agreement:
        return "the details do not agree"
    if changes.worst_elsewhere < limits.min_worst_window:
        return "a small detail is another one"
    if residual.grading.recolouring > limits.max_recolouring:
        return "something has another colour"
    is_drawing = evidence.ground > limits.max_ground
    if is_drawing and (
        residual.grading.tint > limits.max_tint or evidence.ground_tint > limits.max_ground_tint
    ):
        # Of a drawing the colours are content: a keyboard in brown, the same one in purple.
        return "something has another colour"
    if changes.changed_share > 0:
        is_small = evidence.grid_side < limits.min_print_side
        if is_small and is_drawing and changes.paper > limits.max_paper_of_small_drawing:
            # Another digit on a display looks like letters that were laid over it.
            return TOO_SMALL
        if not _is_large_enough(evidence.grid_side, changes, limits):
            return "too small to tell what was laid over the picture"
        return doubt_in_overlay(changes, limits)
    if residual.disagreeing > limits.max_disagreement:
        return "some details contradict each other"
    return ""


def doubt_at_close_look(close: CloseLook, evidence: Evidence, finer: U8, limits: Thresholds) -> str:
    """Why a character may be another one although all gates are passed; empty when none is.

    Args:
        close: how far one place stands out.
        evidence: of the pair.
        finer: the finer one of the two previews, uint8 RGB (h, w, 3).
        limits: the table.
    """
    if close.odd > limits.max_odd:
        return "a small detail is another one"
    is_reduced = evidence.pair.reduction > _REDUCED
    is_doubtful = close.odd > limits.max_odd_in_print or (
        close.odd > limits.max_odd_of_lost and close.lost > limits.max_lost_of_print
    )
    if not is_reduced and not is_doubtful:
        return ""
    if sheet_share(evidence.residual) <= _SHEET:
        return ""
    if is_doubtful:
        return "too coarse to tell one print from another"
    if detail_lost(finer, evidence.pair.reduction) > limits.max_detail_lost:
        return TOO_SMALL
    return ""


def _is_print(evidence: Evidence) -> bool:
    """True for print, and for a thumbnail of a page: its small print is grey, and all over it."""
    if evidence.paper > _PRINT or sheet_share(evidence.residual) > _SHEET:
        return True
    return evidence.paper > _GREY_PRINT and evidence.residual.textured_share > _ALL_OVER


def _has_texture(residual: Residual, limits: Thresholds) -> bool:
    tiles, share = residual.textured_tiles, residual.textured_share
    if tiles >= limits.min_textured_tiles and share >= limits.min_textured_share:
        return True
    return tiles >= limits.min_thumbnail_tiles and share >= limits.min_thumbnail_share


def _doubt_without_texture(evidence: Evidence, limits: Thresholds) -> str:
    residual = evidence.residual
    if (
        residual.seen > _SAME_FRAME
        and residual.plain_difference <= limits.max_plain_difference
        and residual.noise <= limits.max_plain_noise
        and evidence.changes.changed_share == 0
        and residual.grading.shift <= 2.0
        and 0.9 <= residual.grading.saturation <= 1.1
        and residual.disagreeing <= limits.max_disagreement
    ):
        return ""
    return NO_TEXTURE


def _is_large_enough(side: int, changes: Changes, limits: Thresholds) -> bool:
    """True when letters can be told on a grid with such a longer side."""
    if side >= limits.min_faint_overlay_side or (
        side >= limits.min_overlay_side and changes.changed_share >= limits.min_small_share
    ):
        return True
    return (
        side >= limits.min_small_overlay_side
        and changes.line_extent >= limits.min_small_line
        and changes.changed_share >= limits.min_small_share
        and changes.places <= limits.max_small_places
        and _most_opposed(changes) <= limits.max_opposed_small
        and _stand_in_lines(changes, limits)
    )


def doubt_in_overlay(changes: Changes, limits: Thresholds) -> str:
    """Why the changed places may be content; empty when something was laid over the picture."""
    if not _is_laid_over(changes, limits):
        return "something changed in the picture"
    if changes.paper > limits.max_paper or changes.paper_around > limits.max_paper_around:
        return "something changed on a page, a screen or a drawing"
    if changes.region_share > limits.max_overlay_share:
        return "too much of the picture changed"
    is_sure = _is_sure(changes, limits) or _is_painted(changes, limits)
    least = limits.min_sure_share if is_sure else limits.min_overlay_share
    extent = limits.min_painted_line if is_sure else limits.min_overlay_extent
    if changes.changed_share < least or changes.extent < extent:
        return "a small detail changed"
    return ""


def _most_opposed(changes: Changes) -> float:
    return max(changes.opposed, changes.worst_place)


def _is_sure(changes: Changes, limits: Thresholds) -> bool:
    """True when letters in lines surprise, and have outlines, on one side only."""
    return (
        _most_opposed(changes) <= limits.max_opposed_sure
        and changes.sharply_outlined >= limits.min_sure_outlined
        and _stand_in_lines(changes, limits)
    )


def _is_laid_over(changes: Changes, limits: Thresholds) -> bool:
    """True when the changed places are a veil, letters, or something drawn."""
    if _is_another_under_a_veil(changes, limits):
        return False
    if _is_clear_mark(changes, limits):
        return True
    is_other = _has_another_colour(changes, limits)
    if _is_painted(changes, limits) and not is_other:
        # Small letters run together to spots.
        return True
    if changes.spotted > limits.max_spotted:
        return False
    if _has_more_than_paint(changes, limits):
        return False
    if changes.translucency >= limits.min_translucency and _is_veil(changes, limits):
        # Through a thin veil the picture shows, so that the words have no colour of their own.
        return changes.translucency >= limits.min_thin_veil or not is_other
    if is_other:
        return False
    if changes.strewn or changes.detail_kept < _least_kept(changes, limits):
        # Round spots, or smooth ones on busy ground: painted over with what is beside them.
        return False
    if changes.solid_share > limits.max_solid_share:
        return (
            changes.textured_solid_share <= limits.max_textured_solid_share
            and _most_opposed(changes) <= limits.max_opposed_solid
        )
    if _has_outlines(changes, limits):
        # On busy ground strokes have little more detail than what they were painted over.
        return _stand_in_lines(changes, limits)
    if changes.detail_added < limits.min_detail_ratio * changes.detail_kept:
        # Faint strokes on a busy picture: a thing that moved looks like that from both sides.
        return _most_opposed(changes) <= limits.max_opposed_faint and _are_letters(changes, limits)
    return (
        changes.opposed <= limits.max_opposed
        and changes.worst_place <= limits.max_worst_place
        and _are_letters(changes, limits)
    )


def _is_painted(changes: Changes, limits: Thresholds) -> bool:
    """True when a line of strokes in two colours explains all that changed, on whatever ground."""
    paint = changes.paint
    # Thick letters, as long as none of it is to be seen on both sides.
    is_one_sided = _most_opposed(changes) <= limits.max_opposed_solid
    solid = limits.max_solid_letters if is_one_sided else limits.max_solid_paint
    return (
        paint.unexplained <= limits.max_unpainted
        and paint.worst <= limits.max_worst_of_paint
        and paint.away <= limits.max_away_from_paint
        and paint.covered >= limits.min_painted
        and changes.line_extent >= limits.min_painted_line
        and changes.beside <= limits.max_beside_paint
        and changes.solid_share <= solid
        and changes.opposed <= limits.max_opposed_paint
        and changes.detail_added >= limits.min_painted_detail * changes.detail_kept
        and changes.paper <= limits.max_painted_paper
        and changes.paper_around <= limits.max_paper_around_paint
        and not changes.strewn
    )


def _is_clear_mark(changes: Changes, limits: Thresholds) -> bool:
    """True when one thin veil in the shape of letters explains all that changed, to the last place.

    On a picture as busy as the letters neither side surprises less than the other, and a mark in
    the colour of a bright place is not to be seen there. But through it every detail is as it was:
    what else has changed would be further from the clean picture, or from the veil.
    """
    paint, veil = changes.paint, changes.veil
    return (
        changes.translucency >= limits.min_clear_mark
        and limits.min_veil_seen <= veil.seen <= limits.max_clear_seen
        and veil.beyond_share <= limits.max_beyond_clear
        and paint.unexplained <= limits.max_uncleared
        and paint.worst <= limits.max_worst_of_clear
        and paint.covered >= limits.min_painted
        and changes.places >= limits.min_clear_marks
        and changes.changed_share >= limits.min_tiled_share
        and changes.solid_share <= limits.max_solid_tiles
        and changes.spotted <= limits.max_spotted
        and changes.line_extent >= limits.min_clear_line
        and changes.beside <= limits.max_beside
        and changes.paper <= limits.max_painted_paper
        and changes.paper_around <= limits.max_paper_around_paint
        and not changes.strewn
    )


def _has_another_colour(changes: Changes, limits: Thresholds) -> bool:
    """True when a place has none of the colours of what was laid over the picture.

    Not where two colours explain all that changed, and no place surprises on the clean side.
    """
    is_mixed = changes.paint.unexplained <= limits.max_unpainted
    is_one_sided = changes.worst_place <= limits.max_worst_place
    return changes.has_another_colour and not (is_mixed and is_one_sided)


def _has_more_than_paint(changes: Changes, limits: Thresholds) -> bool:
    """True when a place shows what neither was there nor are letters."""
    is_thin = changes.translucency >= limits.min_thin_veil
    most = limits.max_worst_under_veil if is_thin else limits.max_worst_unpainted
    return changes.paint.worst > most


def _is_another_under_a_veil(changes: Changes, limits: Thresholds) -> bool:
    """True when most of the picture shows through a veil, and of a place it does not."""
    veil = changes.veil
    return veil.seen >= limits.min_veil_seen and (
        veil.beyond > limits.max_beyond_veil or veil.beyond_share > limits.max_beyond_share
    )


def _has_outlines(changes: Changes, limits: Thresholds) -> bool:
    """True when the outlines of the changed places are those of one side.

    It has the more detail there, too; a soft light adds none.
    """
    return (
        changes.detail_added >= limits.min_busy_ratio * changes.detail_kept
        and changes.sharply_outlined >= limits.min_sharply_outlined
        and changes.opposed <= limits.max_opposed_outlined
        and changes.worst_place <= limits.max_worst_outlined
    )


def _is_veil(changes: Changes, limits: Thresholds) -> bool:
    """True when letters that the picture shows through stand in a line, or all over it.

    A light, a shadow or a part in another colour let the picture show through too, and have no
    outlines of their own.
    """
    if changes.outlined < limits.min_veil_outlined and changes.opposed > limits.max_opposed_vague:
        return False
    if not (
        changes.opposed <= limits.max_opposed_in_veil
        and (_is_clear(changes, limits) or changes.worst_place <= _worst_in_veil(changes, limits))
        and limits.min_veil_kept <= changes.detail_kept <= limits.max_veil_kept
    ):
        return False
    if _stand_in_lines(changes, limits):
        is_long = changes.line_extent >= limits.min_long_veil
        solid = limits.max_solid_long_veil if is_long else limits.max_solid_veil
        return changes.solid_share <= solid
    return (
        changes.outlined >= limits.min_tiles_outlined
        and changes.translucency >= limits.min_tiled_veil
        and changes.places >= limits.min_tiles
        and changes.extent >= limits.min_tiled_extent
        and changes.changed_share >= limits.min_tiled_share
        and changes.solid_share <= limits.max_solid_tiles
    )


def _worst_in_veil(changes: Changes, limits: Thresholds) -> float:
    is_thin = (
        changes.translucency >= limits.min_thin_veil and changes.places >= limits.min_clear_places
    )
    return limits.max_worst_in_veil if is_thin else limits.max_worst_place


def _is_clear(changes: Changes, limits: Thresholds) -> bool:
    """True when nearly all of the picture shows through letters all over it."""
    return (
        changes.translucency >= limits.min_clear_veil
        and changes.opposed <= limits.max_opposed_clear_veil
        and changes.outlined >= limits.min_tiles_outlined
        and changes.places >= limits.min_clear_places
        and changes.changed_share >= limits.min_tiled_share
        and changes.solid_share <= limits.max_solid_tiles
    )


def _are_letters(changes: Changes, limits: Thresholds) -> bool:
    """True when the one shows strokes where the other shows the ground they stand on."""
    if not _stand_in_lines(changes, limits):
        return False
    kept, added = changes.detail_kept, changes.detail_added
    is_busy = kept <= limits.max_busy_kept
    ratio = limits.min_busy_ratio if is_busy else limits.min_busiest_ratio
    return kept <= limits.max_detail_kept and added >= ratio * kept


def _least_kept(changes: Changes, limits: Thresholds) -> float:
    """Of the detail around them, what the clean picture has at least where letters were put."""
    if changes.detail_added >= limits.min_letter_detail:
        return limits.min_plain_kept
    return limits.min_detail_kept


def _stand_in_lines(changes: Changes, limits: Thresholds) -> bool:
    """False for what is strewn over the picture, or stands in it here and there."""
    return changes.line_extent >= limits.min_overlay_extent and changes.beside <= limits.max_beside
