"""What produced the contents of an index, and whether more may be added to it."""

from __future__ import annotations

from dataclasses import dataclass

from storage.errors import IndexMismatch

# 2: vectors in blocks (`storage.vector_blocks`). 3: hashes, checksums and holders in blocks too,
# and shorter records (`storage.image_rows`, `storage.holders`, `storage.codec`).
SCHEMA_VERSION = 3
# An index of this schema is read, and added to: it is of the newest from then on.
OLDEST_SCHEMA = 2
_REMEDY = "Use the same settings, or index into a new directory (--index DIR)."


@dataclass(frozen=True, slots=True)
class ModelParameters:
    """One embedding model.

    Attributes:
        name: as given to --model.
        dimension: of its embeddings.
        fingerprint: of weights, preprocessing and runtime precision.
        runtime: what computes it, and in which precision; int8, bfloat16 and float32 runs of one
            network give embeddings that are not to be compared with each other.
        input_size: side of the pictures it takes, pixels.
    """

    name: str
    dimension: int
    fingerprint: str
    runtime: str
    input_size: int


@dataclass(frozen=True, slots=True)
class IndexParameters:
    """All that must stay the same while an index grows.

    Attributes:
        schema_version: of the layout of the catalog. descriptor_version: of the hashes.
        preview_size: longer side of stored previews, pixels.
        models: that embed.
    """

    schema_version: int
    descriptor_version: str
    preview_size: int
    models: tuple[ModelParameters, ...]

    def require_same(self, wanted: IndexParameters) -> None:
        """Check that records made with `wanted` may join those made with these parameters.

        Raises:
            IndexMismatch: naming everything that differs.
        """
        differences = self._differences(wanted, "in the index", "now", "in use now")
        if differences:
            raise IndexMismatch(
                "This index was made with other settings: " + "; ".join(differences) + ".", _REMEDY
            )

    def require_comparable(self, other: IndexParameters, here: str, there: str) -> None:
        """Check that images of an index made with these may be compared with those of another.

        Args:
            here, there: names of the two indexes, for the message.

        Raises:
            IndexMismatch: naming everything that differs.
        """
        differences = self._differences(other, f"in {here}", f"in {there}", f"in {there}")
        if differences:
            raise IndexMismatch(
                f"The indexes {here} and {there} were made with different settings: "
                + "; ".join(differences)
                + ".",
                "Index one of them again, into a new directory, with the settings of the other.",
            )

    def _differences(
        self, wanted: IndexParameters, here: str, there: str, in_use: str
    ) -> list[str]:
        found = [
            f"{name} {ours!r} {here}, {theirs!r} {there}"
            for name, ours, theirs in (
                ("schema", self.schema_version, wanted.schema_version),
                ("descriptors", self.descriptor_version, wanted.descriptor_version),
                ("preview size", self.preview_size, wanted.preview_size),
            )
            if ours != theirs
        ]
        ours = {model.name: model for model in self.models}
        theirs = {model.name: model for model in wanted.models}
        found += [f"model {name} is {here}, not {in_use}" for name in ours.keys() - theirs]
        found += [f"model {name} is not {here}" for name in theirs.keys() - ours]
        for name in sorted(ours.keys() & theirs):
            found += [
                f"model {name}: {attribute.replace('_', ' ')} {getattr(ours[name], attribute)!r} "
                f"{here}, {getattr(theirs[name], attribute)!r} {there}"
                for attribute in ("dimension", "fingerprint", "runtime", "input_size")
                if getattr(ours[name], attribute) != getattr(theirs[name], attribute)
            ]
        return sorted(found)
