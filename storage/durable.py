"""Names that stay after a loss of power.

To sync a file says nothing of its name: that is on the disk when the folder it stands in was
synced, and so on up to the first folder that was there before.
"""

from __future__ import annotations

import os
from pathlib import Path


def sync_path(path: Path) -> None:
    """What is in the file, or which names are in the folder, is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folders(path: Path) -> None:
    """The folder, with all above it that are missing, on the disk.

    Raises:
        OSError: also FileExistsError, when something else has the name.
    """
    try:
        path.mkdir()
    except FileNotFoundError:
        if path.parent == path:
            raise
        make_folders(path.parent)
        path.mkdir(exist_ok=True)
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    sync_path(path.parent)
