"""Answering one query: describe the image, ask the indexes, verify what they propose."""

from __future__ import annotations

import hashlib
import sys
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType

from cli.answering import Answering, Match, QueryAnswer, embedded
from cli.config import Settings
from cli.loading import decode_limits, load_embedders_of, load_verifier, source_options
from cli.progress import Step
from indexer.embedders.base import Embedder
from indexer.errors import UndecodableImage
from indexer.extract import ExtractOptions, extract
from resolve.verdicts import decode_preview
from search.index_set import IndexSet
from search.options import SearchOptions
from storage.azure_address import is_azure, redact
from storage.catalog import Catalog
from storage.errors import ImageInputError, IndexMismatch, SourceNotFound
from storage.index_directory import IndexDirectory
from storage.open_source import open_source
from storage.parameters import IndexParameters
from storage.paths import home_expanded
from storage.records import U8
from verify.cascade import Verifier

STANDARD_INPUT = "-"


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
            search = SearchOptions()
            indexes = IndexSet.open(directory, self._catalog, search)
            self._answering = Answering(self._catalog, indexes, search)
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

    def preview(self, match: Match) -> U8:
        """The stored preview of an image that was found, uint8 (h, w, 3), RGB."""
        number = self._catalog.image_id(bytes.fromhex(match.digest))
        if number is None:
            raise IndexMismatch("The image has left the index since.", "Ask again.")
        return decode_preview(self._catalog.preview(number))

    def answer(self, location: str, step: Step = lambda words: None) -> QueryAnswer:
        """The neighbours of the image at that location.

        Args:
            step: is told what comes next.

        Raises:
            ImageInputError: it cannot be read or is no image.
            SourceNotFound, CredentialsError, SourceError: as its source raises them.
        """
        step("reading the image")
        content = read_query(location, self._settings)
        options = query_options(self._settings, self._parameters)
        try:
            image = extract(content, hashlib.sha256(content).digest(), options)
        except UndecodableImage as error:
            raise ImageInputError(
                f"{_shown(location)} cannot be used as an image: {error.reason.rstrip('.')}.",
                "Give an image that is whole, in one of the usual formats.",
            ) from error
        step("loading the model")
        embedders = self._embedders
        verifier = self._verifier if self._settings.verify else None
        step("looking for copies")
        return self._answering.answer(
            redact(location), image, embedded(image, embedders), self._settings.top, verifier
        )


def query_options(settings: Settings, parameters: IndexParameters) -> ExtractOptions:
    """How a query is described, so that it compares with an index of these parameters."""
    return ExtractOptions(
        limits=decode_limits(settings, parameters.preview_size),
        preview_size=parameters.preview_size,
        network_inputs=tuple({model.input_size for model in parameters.models}),
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
    path = home_expanded(location)
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


def _shown(location: str) -> str:
    return "Standard input" if location == STANDARD_INPUT else redact(location)
