"""Answering one query: describe the image, ask the indexes, verify what they propose."""

from __future__ import annotations

import hashlib
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType

import numpy as np

from cli.config import Settings
from cli.loading import decode_limits, load_embedders_of, load_verifier, source_options
from cli.transform_words import describe_transform
from indexer.embedders.base import Embedder
from indexer.errors import UndecodableImage
from indexer.extract import ExtractedImage, ExtractOptions, extract
from resolve.verdicts import CachedVerdicts, decode_preview
from search.index_set import IndexSet
from search.neighbours import Neighbour, neighbours
from search.options import SearchOptions
from storage.azure_address import is_azure, redact
from storage.catalog import Catalog
from storage.errors import ImageInputError, IndexMismatch, SourceNotFound
from storage.index_directory import IndexDirectory
from storage.open_source import open_source
from storage.parameters import IndexParameters
from storage.records import F32, U8
from verify.cascade import Verifier
from verify.evidence import VerifyImage
from verify.verdict import Relation

STANDARD_INPUT = "-"
# A verified copy may stand behind look-alikes in the order of the descriptors: more neighbours are
# verified than shown.
VERIFIED_AT_LEAST = 10


@dataclass(frozen=True, slots=True)
class Match:
    """One neighbour of a query.

    Attributes:
        uris: the blobs that hold this image.
        hamming: distance of the 64-bit wavelet hashes, over the eight orientations.
        similarity: model name to cosine similarity.
        relation: the verdict; "" when not verified.
        score: its score; None when not verified.
        transform: in words, how the query lies on this image.
        homography: pixels of the query to pixels of this image, row by row; [] when there is none.
        reason: the verdict's reason.
    """

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
    """A query and its neighbours, verified copies first."""

    query: str
    width: int
    height: int
    matches: list[Match]


class QueryEngine:
    """Everything that several queries of one index share: the catalog, the indexes, the models."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        with ExitStack() as stack:
            directory = IndexDirectory.open(settings.index)
            self._catalog = stack.enter_context(Catalog.open_reader(directory.catalog_path))
            parameters = self._catalog.parameters()
            if parameters is None:
                raise IndexMismatch(
                    f"The index {settings.index} is empty: nothing has been indexed into it.",
                    "Run dedup index SOURCE first.",
                )
            self._parameters: IndexParameters = parameters
            self._options = SearchOptions()
            self._indexes = IndexSet.open(directory, self._catalog, self._options)
            self._stack = stack.pop_all()

    def __enter__(self) -> QueryEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    # Loaded when first needed: a query that cannot be read is said before the models are there.

    @cached_property
    def _embedders(self) -> list[Embedder]:
        return load_embedders_of(self._parameters, self._settings)

    @cached_property
    def _verifier(self) -> Verifier:
        return load_verifier(self._settings)

    def answer(self, location: str) -> QueryAnswer:
        """The neighbours of the image at that location.

        Raises:
            ImageInputError: it cannot be read or is no image.
            SourceNotFound, CredentialsError, SourceError: as its source raises them.
        """
        content = read_query(location, self._settings)
        options = ExtractOptions(
            limits=decode_limits(self._settings, self._parameters.preview_size),
            preview_size=self._parameters.preview_size,
            network_inputs=tuple({model.input_size for model in self._parameters.models}),
        )
        try:
            image = extract(content, hashlib.sha256(content).digest(), options)
        except UndecodableImage as error:
            raise ImageInputError(
                f"{_shown(location)} cannot be used as an image: {error.reason.rstrip('.')}.",
                "Give an image that is whole, in one of the usual formats.",
            ) from error
        wanted = self._settings.top
        found = neighbours(
            self._catalog,
            self._indexes,
            image.record.hash64,
            image.record.hash256,
            self._embeddings(image),
            max(wanted, VERIFIED_AT_LEAST) if self._settings.verify else wanted,
            self._options,
        )
        is_verified = self._settings.verify
        matches = self._verified(image, found) if is_verified else self._unverified(found)
        return QueryAnswer(
            redact(location), image.record.width, image.record.height, matches[:wanted]
        )

    def _embeddings(self, image: ExtractedImage) -> dict[str, list[F32]]:
        """Every model's embeddings of the query in its eight orientations."""
        return {
            embedder.spec.name: list(
                embedder.embed(_orientations(image.network_inputs[embedder.spec.input_size]))
            )
            for embedder in self._embedders
        }

    def _unverified(self, found: list[Neighbour]) -> list[Match]:
        return [self._match(neighbour) for neighbour in found]

    def _verified(self, image: ExtractedImage, found: list[Neighbour]) -> list[Match]:
        query = VerifyImage(decode_preview(image.preview), image.record)
        images = CachedVerdicts(self._catalog, self._verifier, is_writable=False)
        matches = []
        for neighbour in found:
            other = images.image(neighbour.image_id)
            verdict = self._verifier.verify(query, other)
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


def read_query(location: str, settings: Settings) -> bytes:
    """The bytes of a query image: standard input, a file, or a blob of a source.

    Raises:
        ImageInputError: there is nothing to read there.
        SourceNotFound, CredentialsError, SourceError: as its source raises them.
    """
    if location == STANDARD_INPUT:
        content = sys.stdin.buffer.read()
        if not content:
            raise ImageInputError("Standard input is empty.", "Pipe an image into the command.")
        return content
    if is_azure(location):
        return _read_blob(location, settings)
    path = Path(location).expanduser()
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageInputError(
            f"The image {path} cannot be read ({error.strerror or error}).", "Check the path."
        ) from error


def _read_blob(location: str, settings: Settings) -> bytes:
    source = open_source(location, source_options(settings))
    try:
        # Opened as a prefix, the root is the name of the blob itself.
        blob = source.stat(source.uri)
        if blob is None:
            raise SourceNotFound(f"There is no blob {source.uri}.", "Check its name.")
        return source.read(blob)
    finally:
        source.close()


def _orientations(square: U8) -> U8:
    """The eight orientations of a square, uint8 (8, S, S, 3): embeddings change with rotation."""
    turned = [np.rot90(square, turns) for turns in range(4)]
    mirrored = [np.rot90(square[:, ::-1], turns) for turns in range(4)]
    return np.ascontiguousarray(np.stack(turned + mirrored))


def _shown(location: str) -> str:
    return "Standard input" if location == STANDARD_INPUT else redact(location)
