"""From settings to the parts that do the work: sources, models, matchers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from cli.config import Settings
from storage.errors import UsageError

if TYPE_CHECKING:
    from indexer.decode import DecodeLimits
    from indexer.embedders.base import Embedder
    from indexer.engine import Remote
    from storage.cluster import Cluster
    from storage.open_source import SourceOptions
    from storage.parameters import IndexParameters
    from storage.source import Source
    from verify.cascade import Verifier
    from verify.second_look import SecondLook


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
        max_bytes=int(settings.max_megabytes * 2**20),
        max_memory=int(settings.image_memory * 2**20),
        scaled_longer_side=max(defaults.scaled_longer_side, side),
    )


def open_cluster(settings: Settings, stack: ExitStack) -> Cluster | None:
    """The cluster of the settings, left when the stack is; None for the engine local.

    Raises:
        UsageError: Ray is not installed, or does not answer.
    """
    if settings.engine == "local":
        if settings.address:
            raise UsageError(
                f"There is an address of a cluster, {settings.address}, and the engine is local.",
                "Add --engine ray, or leave the address out.",
            )
        return None
    from storage.cluster import Cluster

    return stack.enter_context(Cluster(settings.address, settings.workers))


def on_cluster(
    sources: Sequence[Source], locations: Iterable[str], settings: Settings, stack: ExitStack
) -> Remote | None:
    """Where images are read and described, if not here.

    Args:
        sources: as `open_sources` has opened them.

    Raises:
        ModelError, UsageError, ClusterError
    """
    cluster = open_cluster(settings, stack)
    if cluster is None:
        return None
    from indexer.cluster_engine import ClusterRemote
    from indexer.cluster_tasks import ModelChoice
    from storage.azure_address import is_azure

    options = source_options(settings)
    # A folder by its full path: other machines are not in this one's working directory.
    opened = [
        (source, location if is_azure(location) else source.uri, options)
        for source, location in zip(sources, dict.fromkeys(locations), strict=True)
    ]
    models = [
        ModelChoice(choice.name, choice.weights, settings.runtime, settings.device)
        for choice in settings.model
    ]
    return ClusterRemote(cluster, opened, models)


def load_embedders(settings: Settings) -> list[Embedder]:
    """The embedding models of the settings.

    Raises:
        ModelError: weights missing or damaged, or a package not installed.
    """
    from indexer.embedders.registry import load_embedder

    return [
        load_embedder(
            choice.name,
            weights=choice.weights,
            runtime=settings.runtime,
            device=settings.device,
        )
        for choice in settings.model
    ]


def load_embedders_of(parameters: IndexParameters, settings: Settings) -> list[Embedder]:
    """The models that an index was made with, in its precision; the settings say where weights are.

    Raises:
        ModelError: as above, or this machine cannot run them as the index needs.
        IndexMismatch: the weights here are others than those of the index.
    """
    from indexer.embedders.registry import load_embedder
    from storage.errors import IndexMismatch

    weights = {choice.name: choice.weights for choice in settings.model}
    embedders = []
    for model in parameters.models:
        embedder = load_embedder(
            model.name,
            weights=weights.get(model.name),
            runtime=model.runtime,
            device=settings.device,
        )
        if embedder.spec.fingerprint != model.fingerprint:
            raise IndexMismatch(
                f"The index {settings.index} was made with other weights of {model.name} "
                f"({model.fingerprint[:12]}) than are here ({embedder.spec.fingerprint[:12]}).",
                f"Name the right ones with DEDUP_MODEL={model.name}=PATH, or index again.",
            )
        embedders.append(embedder)
    return embedders


def load_verifier(settings: Settings) -> Verifier:
    """The verification cascade of the settings.

    Picklable with `functools.partial`, so that worker processes make their own.

    Raises:
        ModelError: as above, for the matchers.
    """
    from verify.calibration import Strictness
    from verify.cascade import Verifier
    from verify.matchers.registry import load_matcher

    matchers = tuple(
        load_matcher(choice.name, weights=choice.weights, device=settings.device)
        for choice in settings.matcher
    )
    return Verifier(matchers, Strictness(settings.strictness), second_look_version(settings))


def verifying_gpu_share(settings: Settings, cluster: Cluster) -> float:
    """Of a GPU of the cluster, for each process that verifies: none where no network matches."""
    is_learned = any(choice.name not in ("orb", "sift") for choice in settings.matcher)
    return 0.25 if is_learned and cluster.gpus and settings.device != "cpu" else 0.0


def second_look_version(settings: Settings) -> str:
    """Name and version of the matcher that open pairs go to; empty when there is none."""
    if not _looks_again(settings):
        return ""
    from verify.matchers.loftr import LoftrMatcher

    return f"{LoftrMatcher.name}-{LoftrMatcher.version}"


def load_second_look(settings: Settings, verifier: Verifier) -> SecondLook | None:
    """What looks again at the pairs that the matchers leave open, or None.

    Raises:
        ModelError: its weights are missing or damaged, or the device cannot be used.
    """
    if not _looks_again(settings):
        return None
    from typing import cast

    from verify.matchers.base import BatchMatcher
    from verify.matchers.registry import load_matcher
    from verify.second_look import SecondLook

    matcher = load_matcher("loftr", weights=settings.second_look.weights, device=settings.device)
    return SecondLook(cast(BatchMatcher, matcher), verifier)


def _looks_again(settings: Settings) -> bool:
    """By default where there is a GPU, and the weights lie ready: nothing is fetched unasked."""
    if settings.second_look.name != "auto":
        return settings.second_look.name != "none"
    if settings.device == "cpu":
        return False
    from verify.matchers.registry import list_matchers

    if not any(info.name == "loftr" and info.is_available for info in list_matchers()):
        return False
    import torch

    return torch.cuda.is_available()
