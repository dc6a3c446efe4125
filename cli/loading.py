"""From settings to the parts that do the work: sources, models, matchers."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from cli.config import Settings

if TYPE_CHECKING:
    from indexer.decode import DecodeLimits
    from indexer.embedders.base import Embedder
    from storage.open_source import SourceOptions
    from storage.source import Source
    from verify.cascade import Verifier


def source_options(settings: Settings) -> SourceOptions:
    """How to reach cloud sources with these settings."""
    from storage.open_source import SourceOptions

    return SourceOptions(
        account_url=settings.account_url,
        connection_string=settings.connection_string,
        max_requests_per_second=settings.max_requests_per_second,
    )


def open_sources(locations: Iterable[str], settings: Settings, stack: ExitStack) -> list[Source]:
    """The sources, closed when the stack is.

    Raises:
        SourceNotFound, CredentialsError, UsageError
    """
    from storage.open_source import open_source

    sources = []
    for location in dict.fromkeys(locations):
        source = open_source(location, source_options(settings))
        stack.callback(source.close)
        sources.append(source)
    return sources


def decode_limits(settings: Settings, preview_size: int | None = None) -> DecodeLimits:
    """What one image may cost. Previews of the size asked for must not be enlarged ones."""
    from indexer.decode import DecodeLimits

    side = settings.preview_size if preview_size is None else preview_size
    defaults = DecodeLimits()
    return DecodeLimits(
        max_pixels=int(settings.max_megapixels * 1_000_000),
        max_bytes=defaults.max_bytes,
        scaled_longer_side=max(defaults.scaled_longer_side, side),
    )


def load_embedders(settings: Settings, names: Iterable[str] | None = None) -> list[Embedder]:
    """The embedding models of the settings, or those of the given names.

    Raises:
        ModelError: weights missing or damaged, or a package not installed.
    """
    from indexer.embedders.registry import load_embedder

    return [
        load_embedder(
            name,
            weights=settings.weights_of(name),
            runtime=settings.runtime,
            device=settings.device,
        )
        for name in (settings.model if names is None else names)
    ]


def load_verifier(settings: Settings) -> Verifier:
    """The verification cascade of the settings.

    Raises:
        ModelError: as above, for the matchers.
    """
    from verify.calibration import Strictness
    from verify.cascade import Verifier
    from verify.matchers.registry import load_matcher

    matchers = tuple(
        load_matcher(name, weights=settings.weights_of(name), device=settings.device)
        for name in settings.matcher
    )
    return Verifier(matchers, Strictness(settings.strictness))
