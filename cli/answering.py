"""What an index knows of an image that need not be in it: neighbours, verified on pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from cli.transform_words import describe_transform
from indexer.embedders.base import Embedder
from indexer.extract import ExtractedImage
from resolve.verdicts import CachedVerdicts, verify_image
from search.index_set import IndexSet
from search.neighbours import Neighbour, neighbours
from search.options import SearchOptions
from storage.catalog import Catalog
from storage.records import F32, U8
from verify.cascade import Verifier
from verify.verdict import Relation

# A verified copy may stand behind look-alikes in the order of the descriptors: more neighbours are
# verified than shown.
VERIFIED_AT_LEAST = 10


@dataclass(frozen=True, slots=True)
class Match:
    """One neighbour of a query.

    Attributes:
        digest: SHA-256 of the content, hex.
        uris: the blobs that hold this image.
        width, height: of the image, upright, pixels.
        hamming: distance of the 64-bit wavelet hashes, over the eight orientations.
        similarity: model name to cosine similarity.
        relation: the verdict; "" when not verified.
        score: its score; None when not verified.
        transform: in words, how the query lies on this image.
        homography: pixels of the query to pixels of this image, row by row; [] when there is none.
        reason: the verdict's reason.
    """

    digest: str
    uris: list[str]
    width: int
    height: int
    hamming: int
    similarity: dict[str, float]
    relation: str = ""
    score: float | None = None
    transform: str = ""
    homography: list[list[float]] = field(default_factory=list)
    reason: str = ""

    @property
    def best_similarity(self) -> float:
        """The highest of the similarities; 0 when there is none."""
        return max(self.similarity.values(), default=0.0)

    @property
    def is_copy(self) -> bool:
        """Whether verification said so."""
        return self.relation not in ("", Relation.DIFFERENT.value)


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """A query and its neighbours, verified copies first.

    Attributes:
        query: as it was given, without secrets.
        width, height: of its image, upright, pixels.
        matches: the neighbours.
    """

    query: str
    width: int
    height: int
    matches: list[Match]


class Answering:
    """Answers from one catalog and the indexes of it.

    Safe in several threads where the catalog is, each with a verifier of its own.
    """

    def __init__(self, catalog: Catalog, indexes: IndexSet, options: SearchOptions) -> None:
        self._catalog = catalog
        self._indexes = indexes
        self._options = options

    def answer(
        self,
        query: str,
        image: ExtractedImage,
        embeddings: Mapping[str, list[F32]],
        top: int,
        verifier: Verifier | None,
    ) -> QueryAnswer:
        """The neighbours of an image, `top` of them.

        Args:
            query: what the answer calls it.
            embeddings: of the image; see `embedded`.
            verifier: None leaves the neighbours in the order of the descriptors.
        """
        found = neighbours(
            self._catalog,
            self._indexes,
            image.record.hash64,
            image.record.hash256,
            embeddings,
            top if verifier is None else max(top, VERIFIED_AT_LEAST),
            self._options,
        )
        matches = (
            [self._match(neighbour) for neighbour in found]
            if verifier is None
            else self._verified(image, found, verifier)
        )
        return QueryAnswer(query, image.record.width, image.record.height, matches[:top])

    def _verified(
        self, image: ExtractedImage, found: list[Neighbour], verifier: Verifier
    ) -> list[Match]:
        query = verify_image(image.preview, image.record)
        images = CachedVerdicts(self._catalog, verifier, is_writable=False)
        matches = []
        for neighbour in found:
            other = images.image(neighbour.image_id)
            verdict = verifier.verify(query, other)
            words, rows = "", []
            if verdict.transform is not None and verdict.is_copy:
                record = other.record
                rows = verdict.transform.tolist()
                words = str(
                    describe_transform(
                        verdict.transform,
                        (image.record.width, image.record.height),
                        (record.width, record.height),
                    )
                )
            matches.append(
                self._match(
                    neighbour,
                    relation=verdict.relation.value,
                    score=verdict.score,
                    transform=words,
                    homography=rows,
                    reason=verdict.reason,
                )
            )
        # The sort is stable: among equals the order of the descriptors stays.
        return sorted(matches, key=lambda match: (not match.is_copy, -(match.score or 0.0)))

    def _match(
        self,
        neighbour: Neighbour,
        *,
        relation: str = "",
        score: float | None = None,
        transform: str = "",
        homography: list[list[float]] | None = None,
        reason: str = "",
    ) -> Match:
        record = self._catalog.record(neighbour.image_id)
        return Match(
            digest=record.digest.hex(),
            uris=[entry.uri for entry in self._catalog.blobs_of(neighbour.image_id)],
            width=record.width,
            height=record.height,
            hamming=neighbour.hamming,
            similarity=neighbour.similarity,
            relation=relation,
            score=score,
            transform=transform,
            homography=homography or [],
            reason=reason,
        )


def embedded(image: ExtractedImage, embedders: Iterable[Embedder]) -> dict[str, list[F32]]:
    """Every model's embeddings of an image in its eight orientations."""
    return {
        embedder.spec.name: list(
            embedder.embed(_orientations(image.network_inputs[embedder.spec.input_size]))
        )
        for embedder in embedders
    }


def _orientations(square: U8) -> U8:
    """The eight orientations of a square, uint8 (8, S, S, 3): embeddings change with rotation."""
    turned = [np.rot90(square, turns) for turns in range(4)]
    mirrored = [np.rot90(square[:, ::-1], turns) for turns in range(4)]
    return np.ascontiguousarray(np.stack(turned + mirrored))
