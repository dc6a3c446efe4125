"""What the candidate stage may be told, with the measurements its defaults come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one search in an embedding index goes.

    A neighbour counts when its cosine similarity is at least `strong`; or at least `similarity`
    and among the `weak` most similar of those below `strong`; or when it is one of the `nearest`
    and at least at `floor`. Of all those, the `cap` most similar.

    With `is_from_both_sides` approximate search counts on being asked from the other image of each
    pair too, and looks half as far.
    """

    similarity: float
    nearest: int
    floor: float
    cap: int
    strong: float = -1.0
    weak: int = 0
    is_from_both_sides: bool = True

    @property
    def lowest(self) -> float:
        """No neighbour below this similarity counts."""
        return min(self.similarity, self.floor) if self.nearest else self.similarity


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Everything that decides which pairs become candidates.

    Attributes:
        exact_below: up to this many images an embedding is searched exactly; above, by IVF-PQ
            with re-scoring. 50,000 × 1280 float16 are 128 MB.
        hamming_radius: largest distance of the 64-bit hashes. At 10, the usual choice, some 2 %
            of the pairs are copies; so it is small, and the 256-bit hashes must agree too.
        hamming256_radius: largest distance of the 256-bit hashes in the same orientation.
        hamming_alone: largest distance of the 64-bit hashes when the embeddings of both images
            see no likeness. Of 1,280 such pairs beyond it, 9 were copies; up to it, 84 of 740.
        flat_texture: an image with less texture (`ImageRecord.texture`) has a hash that says
            little: it is proposed by hash only where the 64-bit hashes are equal.
        similarity: cosine similarity from which an embedding proposes a pair. With it, `nearest`
            and `similarity_floor` as they are, none of 1,000 pairs of an original and its copy
            (25 kinds of edit) was missed, at 8 candidates an image.
        similarity_by_model: the same for models with another scale.
        nearest: so many nearest neighbours are proposed also below `similarity` …
        similarity_floor: … but not below this. Heavy crops are found so.
        strong_from: of the way from `similarity` to 1, where a neighbour is strong: at 0.8.
        weak_cap: at most so many neighbours that are not strong are proposed for an image, the
            nearest. The larger the collection, the more images are that near by chance: of 1,500
            images few have any, of three million all have dozens. Of 5,962 pairs of an image and
            its copy none was beyond the sixth from both sides.
        behind_nearest: how much less similar than the nearest neighbours of both its images a pair
            may be. Of 1,720 pairs further behind, 3 were copies.
        neighbours_cap: at most so many candidates per image, those with the strongest evidence.
            Blank frames and logos would otherwise bring pairs by the square of their number.
        nprobe: lists of an IVF-PQ index that are searched; 0 chooses from their number.
        widening: an IVF-PQ index is searched to this multiple of the squared radius, for its
            distances are approximate.
        spill_after: proposals of the self-join held in memory before they go to temporary files;
            21 bytes each.
        spill_directory: where those files go; None is the system's directory for such files.
    """

    exact_below: int = 50_000
    hamming_radius: int = 6
    hamming256_radius: int = 40
    hamming_alone: int = 2
    flat_texture: float = 0.02
    similarity: float = 0.65
    similarity_by_model: Mapping[str, float] = field(default_factory=dict)
    nearest: int = 4
    similarity_floor: float = 0.55
    strong_from: float = 0.43
    weak_cap: int = 8
    behind_nearest: float = 0.2
    neighbours_cap: int = 64
    nprobe: int = 0
    widening: float = 1.1
    spill_after: int = 2_000_000
    spill_directory: Path | None = None

    def reach(self, model: str) -> Reach:
        """How far the self-join searches in the index of this model."""
        similarity = self.similarity_by_model.get(model, self.similarity)
        return Reach(
            similarity=similarity,
            nearest=self.nearest,
            floor=self.similarity_floor,
            cap=self.neighbours_cap,
            strong=similarity + self.strong_from * (1 - similarity),
            weak=self.weak_cap,
        )
