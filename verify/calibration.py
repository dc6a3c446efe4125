"""The one table of thresholds that decides what counts as a copy.

`safe` is what `dedup resolve` uses unless told otherwise: when in doubt, keep. `balanced` and
`loose` accept weaker evidence of sameness; none of them lets an unexplained change through that is
not laid over the picture from one side.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Strictness(StrEnum):
    """How sure a verdict has to be before it says "copy"."""

    SAFE = "safe"
    BALANCED = "balanced"
    LOOSE = "loose"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What an aligned pair has to show to be called a copy.

    Attributes:
        min_textured_tiles: windows with texture; with fewer, only near-identical pixels count.
        min_textured_share: the same as a share of the windows compared.
        min_thumbnail_tiles, min_thumbnail_share: what a thumbnail, which has few windows, needs
            instead.
        min_agreement: share of textured windows that agree (correlation over 0.8).
        max_disagreement: share of textured windows that contradict (correlation below 0.5).
        min_worst_window: correlation that every window of a character's size must reach.
        max_noise: robust deviation of the residual, grey levels.
        max_odd: how far the worst window of a character's size may stand out, see `CloseLook`.
        max_odd_in_print: the same where it is print.
        max_odd_of_lost, max_lost_of_print: the same for a window of print that has lost more of its
            contrast than that.
        max_detail_lost: what print may lose of its contrast on the smaller of two previews.
        max_recolouring: how far colours may be moved otherwise than by saturation and white
            balance, grey levels.
        max_tint, max_ground: how far the mean colour may be moved, other than with brightness and
            saturation, in grey levels, where more than this share is one even ground, as in
            drawings and print.
        max_ground_tint: how far the colour of one even ground may be moved otherwise than with all
            colours, grey levels, where there is so much ground.
        max_opposed: of changed places, the share of the surprise that is on the clean side.
        max_worst_place: the same of the worst of the places.
        max_opposed_faint: both, where strokes stand out by less than `min_detail_ratio`.
        min_sharply_outlined: from when on the outlines are those of one side.
        max_opposed_outlined, max_worst_outlined: `max_opposed` and `max_worst_place` for such
            outlines.
        min_translucency: correlation from which on the picture shows through a veil.
        max_opposed_in_veil: `max_opposed` for a veil, under which the picture goes on.
        min_veil_outlined, max_opposed_vague: `outlined` of a veil, but for one that surprises on
            the clean side by no more than that.
        min_thin_veil, max_worst_in_veil: correlation from which on a veil is so thin that texture
            outweighs it, and `max_worst_place` for such ones, if they have `min_clear_places`: of
            two places, one each may be a ring on either picture.
        max_solid_veil, max_solid_long_veil: `max_solid_share` for a veil, and for one whose line is
            at least `min_long_veil` of the frame: letters, not a light or a shadow.
        min_tiles, min_tiles_outlined, min_tiled_veil, min_tiled_extent, min_tiled_share,
            max_solid_tiles: places of a veil that stands all over the picture in no lines,
            `outlined` of it, how much shows through it, what they span and cover (the words of a
            watermark 0.014 and more), and `max_solid_share` for it.
        min_clear_veil, max_opposed_clear_veil, min_clear_places: correlation from which on a veil
            of so many places is so clear that it does not matter which of the two surprises in the
            worst of them, and `max_opposed` for such ones.
        min_veil_seen, max_beyond_veil, max_beyond_share: where so much of the contrast shows
            through a veil, the share of a changed place that may have something else under it, and
            how much of the frame that may be in one place.
        max_unpainted, max_worst_of_paint, max_away_from_paint, min_painted: `verify.paint.Paint` of
            letters in two colours. Of 245 texts on photographs 179 are so; of 995 pairs of
            look-alikes, and of pictures in which something was changed by hand, none; of 174
            look-alikes with a text on the second two.
        min_painted_line, max_beside_paint, max_solid_paint, min_painted_detail, max_painted_paper,
            max_paper_around_paint: of such letters, `min_overlay_extent`, `max_beside`,
            `max_solid_share`, `min_detail_ratio`, `max_paper` and `max_paper_around`.
        max_opposed_paint: the same for `opposed`: what was bent by a little may be mixed of two
            colours, too, and is seen on both sides. (Of 162 texts told by paint one is beyond it.)
        max_solid_letters: `max_solid_paint` where `max_opposed_solid` is kept to.
        max_worst_unpainted, max_worst_under_veil: what a place may have that paint does not
            explain, whatever else tells letters: under them, or under a thin veil, may be another
            picture. (Of 221 texts 1 in 100 has more than 11; of 314 watermarks the most is 17.)
        min_clear_mark, max_clear_seen, max_beyond_clear, max_uncleared, max_worst_of_clear,
            min_clear_marks, min_clear_line: translucency, `veil.seen` and `veil.beyond_share`,
            `paint.unexplained` and `paint.worst`, places and line extent of marks that explain all
            that changed. (Of 360 watermarks on photographs 128 are so, 12 of which nothing else
            tells; of 1,401 pairs of look-alikes and of retouched pictures, 414 of them with a
            watermark on the second, none.)
        min_detail_kept, max_detail_kept: detail of the clean picture in the changed places over
            that around them: less was painted over, more is content that the other one lacks.
        min_detail_ratio, min_busy_ratio, min_busiest_ratio: detail of the other picture there over
            that of the clean one; below the first, only what is faint on the clean side counts, and
            then the second where the clean one has no more than `max_busy_kept`, else the third.
        min_letter_detail, min_plain_kept: of letters that stand out so much, the ground may be as
            plain as that.
        min_veil_kept, max_veil_kept: `min_detail_kept` and `max_detail_kept` under a veil.
        max_spotted: what of the changed places may be spots: letters are strokes.
        max_solid_share: changed pixels further inside than strokes of letters reach, as a share:
            beyond, only what is drawn in flat colours is decoration; anything else may be a person.
        max_textured_solid_share: what of such a drawn thing may be of no flat colour; below 0,
            nothing solid is decoration.
        max_opposed_solid: `max_opposed` and `max_worst_place` for a drawn thing.
        min_overlay_side, min_faint_overlay_side: longer side of the grid on which letters can be
            told from a thing that was moved or painted away, pixels; the second where they cover
            less than `min_small_share`.
        min_small_overlay_side, min_small_line, min_small_share, max_small_places,
            max_opposed_small: the same for lines that are at least so long, as a share of the
            frame, that cover so much of it in so few places, and `max_opposed` and
            `max_worst_place` for those: fifty pixels that were painted over
            look like two letters, and like no line across half of the picture.
        min_overlay_share, max_overlay_share: what the changed places may cover.
        min_sure_share, max_opposed_sure, min_sure_outlined: what small letters may cover at least
            that surprise on one side only and have all their outlines there.
        min_overlay_extent: longer side of the changed places over the frame; of letters, that of
            the longest line.
        max_beside: of letters, the share that stands in no line: specks are no letters.
        max_paper, max_paper_of_small_drawing: how much of the clean picture is like paper; the
            second where print may not be compared, and much of the picture is one ground. (Displays
            with another digit, 160 to 300 pixels large: 76 of 160 taken for copies without it, none
            with it; of 300 texts on photographs as small, it costs one.)
        max_paper_around: the same around the changed places.
        min_print_side: longer side of the grid on which print may be compared, pixels: on fewer,
            one digit looks like another. (Labels that differ in a digit, shrunk: 0 of 90 pairs
            taken for copies at 360 pixels, 4 at 300, 28 at 210.)
        min_pasted_share: of a screen, what the picture on it covers.
        min_plain_around: of what is around it, the share that has one grey level: nothing is there
            but a title and a few buttons.
        max_plain_difference: for pictures without texture, grey levels after a wide blur.
        max_plain_noise: for pictures without texture, robust deviation of the residual.
        max_margin: how much more of the keeper's frame may be empty margin, where the deleted image
            does not show all that the keeper shows, and so cannot be the keeper instead.
        max_resolution_loss: how much finer the deleted image may be than its keeper, as a length.
        max_softness: blur that separates the keeper from a sharper deleted image, pixels.
    """

    min_textured_tiles: int = 40
    min_textured_share: float = 0.05
    min_thumbnail_tiles: int = 16
    min_thumbnail_share: float = 0.2
    min_agreement: float = 0.90
    max_disagreement: float = 0.02
    min_worst_window: float = 0.80
    max_noise: float = 9.0
    max_odd: float = 1.85
    max_odd_in_print: float = 1.5
    max_odd_of_lost: float = 1.25
    max_lost_of_print: float = 0.6
    max_detail_lost: float = 0.42
    max_recolouring: float = 22.0
    max_tint: float = 2.5
    max_ground: float = 0.25
    max_ground_tint: float = 3.0
    max_opposed: float = 0.28
    max_worst_place: float = 0.30
    max_opposed_faint: float = 0.12
    min_sharply_outlined: float = 0.50
    max_opposed_outlined: float = 0.30
    max_worst_outlined: float = 0.33
    min_translucency: float = 0.58
    max_opposed_in_veil: float = 0.33
    min_veil_outlined: float = 0.30
    max_opposed_vague: float = 0.05
    min_thin_veil: float = 0.84
    max_worst_in_veil: float = 0.88
    max_solid_veil: float = 0.25
    min_long_veil: float = 0.50
    max_solid_long_veil: float = 0.40
    min_tiles: int = 8
    min_tiles_outlined: float = 0.36
    min_tiled_veil: float = 0.65
    min_tiled_extent: float = 0.60
    min_tiled_share: float = 0.010
    max_solid_tiles: float = 0.05
    min_clear_veil: float = 0.95
    max_opposed_clear_veil: float = 0.20
    min_clear_places: int = 6
    min_veil_seen: float = 0.60
    max_beyond_veil: float = 0.25
    max_beyond_share: float = 0.0012
    max_unpainted: float = 0.005
    max_worst_of_paint: float = 12.8
    max_away_from_paint: float = 0.03
    min_painted: float = 0.10
    min_painted_line: float = 0.25
    max_beside_paint: float = 0.10
    max_solid_paint: float = 0.10
    max_solid_letters: float = 0.26
    max_opposed_paint: float = 0.42
    min_painted_detail: float = 0.80
    max_painted_paper: float = 0.45
    max_paper_around_paint: float = 0.30
    max_worst_unpainted: float = 20.0
    max_worst_under_veil: float = 28.0
    min_clear_mark: float = 0.90
    max_clear_seen: float = 0.92
    max_beyond_clear: float = 0.0002
    max_uncleared: float = 0.002
    max_worst_of_clear: float = 7.0
    min_clear_marks: int = 5
    min_clear_line: float = 0.20
    min_detail_kept: float = 0.50
    max_detail_kept: float = 2.60
    min_detail_ratio: float = 2.0
    min_busy_ratio: float = 1.35
    min_busiest_ratio: float = 1.6
    max_busy_kept: float = 1.30
    min_letter_detail: float = 4.0
    min_plain_kept: float = 0.25
    min_veil_kept: float = 0.30
    max_veil_kept: float = 1.50
    max_spotted: float = 0.80
    max_solid_share: float = 0.13
    max_textured_solid_share: float = -1.0
    max_opposed_solid: float = 0.08
    min_overlay_side: int = 160
    min_faint_overlay_side: int = 200
    min_small_overlay_side: int = 80
    min_small_line: float = 0.50
    min_small_share: float = 0.020
    max_small_places: int = 2
    max_opposed_small: float = 0.22
    min_overlay_share: float = 0.004
    max_overlay_share: float = 0.55
    min_sure_share: float = 0.0022
    max_opposed_sure: float = 0.05
    min_sure_outlined: float = 0.70
    min_overlay_extent: float = 0.30
    max_beside: float = 0.30
    max_paper: float = 0.55
    max_paper_of_small_drawing: float = 0.41
    max_paper_around: float = 0.57
    min_print_side: int = 360
    min_pasted_share: float = 0.35
    min_plain_around: float = 0.70
    max_plain_difference: float = 2.5
    max_plain_noise: float = 2.5
    max_margin: float = 0.10
    max_resolution_loss: float = 1.35
    max_softness: float = 1.8


THRESHOLDS: dict[Strictness, Thresholds] = {
    Strictness.SAFE: Thresholds(),
    Strictness.BALANCED: Thresholds(
        min_print_side=300,
        max_odd=2.2,
        max_odd_in_print=1.8,
        max_lost_of_print=0.7,
        max_detail_lost=0.6,
        min_agreement=0.85,
        max_disagreement=0.05,
        min_worst_window=0.75,
        max_textured_solid_share=0.1,
        max_paper=0.58,
        max_paper_around=0.65,
        min_textured_tiles=30,
        max_resolution_loss=1.6,
        max_softness=2.5,
    ),
    Strictness.LOOSE: Thresholds(
        min_print_side=0,
        max_odd=2.8,
        max_odd_in_print=2.4,
        max_lost_of_print=0.9,
        max_detail_lost=1.0,
        min_agreement=0.80,
        max_disagreement=0.08,
        min_worst_window=0.70,
        max_noise=12.0,
        max_opposed=0.30,
        max_textured_solid_share=0.3,
        max_worst_place=0.40,
        max_opposed_solid=0.15,
        max_paper=0.65,
        max_paper_around=0.75,
        min_textured_tiles=24,
        max_resolution_loss=2.2,
        max_softness=3.5,
    ),
}
