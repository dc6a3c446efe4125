"""Whether the index files of FAISS are what was written, without using them."""

from __future__ import annotations

from search.index_files import IndexFiles
from storage.catalog import Catalog
from storage.index_directory import IndexDirectory


def unusable_files(directory: IndexDirectory, catalog: Catalog) -> dict[str, str]:
    """Model to what is wrong with its index file, for those that are there.

    A missing one is no damage: it is made when it is needed.
    """
    parameters = catalog.parameters()
    found = {}
    for model in parameters.models if parameters is not None else ():
        files = IndexFiles(directory, model.name)
        if files.path.exists() or files.card_path.exists():
            read = files.read()
            if isinstance(read, str):
                found[model.name] = read
    return found


def drop_unusable_files(directory: IndexDirectory, catalog: Catalog) -> list[str]:
    """Remove them, for the next search to build them anew from the catalog; of which models."""
    unusable = list(unusable_files(directory, catalog))
    for model in unusable:
        files = IndexFiles(directory, model)
        files.path.unlink(missing_ok=True)
        files.card_path.unlink(missing_ok=True)
    return unusable
