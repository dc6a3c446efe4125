"""The upstream hub: what of it is cached here, whether it answers, and the download."""

from __future__ import annotations

import os
import socket
import threading
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from storage.errors import ModelError

_REACHABLE_WITHIN = 2.0


@dataclass(frozen=True, slots=True)
class HubWeights:
    """Where the authors publish the weights of one model.

    Attributes:
        repository: "owner/name" on the Hugging Face hub; "@revision" may follow.
        filenames: of the weights, best first: safetensors cannot hold code.
    """

    repository: str
    filenames: tuple[str, ...]

    @property
    def identifier(self) -> str:
        return self.repository.partition("@")[0]

    @property
    def revision(self) -> str | None:
        return self.repository.partition("@")[2] or None


def cache_folder() -> Path:
    """Where the hub's client keeps what it fetched (HF_HUB_CACHE, HF_HOME)."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def endpoint() -> str:
    """The hub's address (HF_ENDPOINT)."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def cached(weights: HubWeights) -> Path | None:
    """The file in the hub's cache; None when it is not there. Asks nobody."""
    from huggingface_hub import try_to_load_from_cache

    for filename in weights.filenames:
        found = try_to_load_from_cache(
            weights.identifier, filename, cache_dir=cache_folder(), revision=weights.revision
        )
        if isinstance(found, str) and Path(found).is_file():
            return Path(found)
    return None


def is_reachable() -> bool:
    """Whether something listens at the hub's address, or at the proxy on the way to it.

    Takes two seconds at most. The hub's client, left to itself, retries for 4 to 48 seconds.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    address = urlsplit(endpoint())
    host = address.hostname or ""
    proxy = urllib.request.getproxies().get(address.scheme)
    if proxy and not urllib.request.proxy_bypass(host):
        address = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        host = address.hostname or ""
    port = address.port or (80 if address.scheme == "http" else 443)
    return _answers(host, port)


def _answers(host: str, port: int) -> bool:
    answered = threading.Event()

    def connect() -> None:
        try:
            with socket.create_connection((host, port), timeout=_REACHABLE_WITHIN):
                answered.set()
        except OSError:
            return

    # In a thread, because the timeout of a socket does not cover the name look-up, which takes
    # many seconds on a machine whose name server is gone.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_REACHABLE_WITHIN)
    return answered.is_set()


def download(weights: HubWeights) -> Path:
    """Fetches the weights into the hub's cache.

    Raises:
        ModelError: the hub has no such file, refuses it, or the connection fails.
    """
    from huggingface_hub import errors, hf_hub_download

    # Its HTTP library is another one in each of the hub client's major versions.
    http_error: type[Exception] = getattr(errors, "HTTPError", OSError)
    for filename in weights.filenames:
        try:
            return Path(
                hf_hub_download(
                    weights.identifier,
                    filename,
                    revision=weights.revision,
                    cache_dir=cache_folder(),
                )
            )
        except errors.EntryNotFoundError as error:
            # Raised both for a name the hub does not have and for a hub that went away.
            if isinstance(error, FileNotFoundError):
                raise _failed(weights, error) from error
        except (OSError, ValueError, http_error) as error:
            raise _failed(weights, error) from error
    names = ", ".join(weights.filenames)
    raise ModelError(
        f"{endpoint()}/{weights.identifier} has no weights named {names}.",
        "Give the path of a copy as NAME=PATH.",
    )


def _failed(weights: HubWeights, error: Exception) -> ModelError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ModelError(
        f"The weights of {weights.identifier} could not be fetched from {endpoint()}: {lines[0]}",
        f"Try again, or give the path of a copy as NAME=PATH. The cache is {cache_folder()}"
        f"{_free_space_hint(error)}.",
    )


def _free_space_hint(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return f" ({os.strerror(number)})" if number is not None else ""
