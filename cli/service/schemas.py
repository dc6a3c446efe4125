"""What the API answers with, as its OpenAPI description says it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Problem(BaseModel):
    """Why there is no answer, and what to do."""

    error: str
    remedy: str = ""


class Health(BaseModel):
    """Whether the process lives, or whether it can answer."""

    status: str


class SnapshotFacts(BaseModel):
    """The state of the index that the answer was given from."""

    number: int = Field(description="Counts from 1 since the service was started.")
    taken_at: float = Field(description="Seconds since the epoch.")
    images: int


class MatchFacts(BaseModel):
    """An image of the index that is near the query."""

    model_config = ConfigDict(from_attributes=True)

    digest: str = Field(description="SHA-256 of the content, hex.")
    uris: list[str] = Field(description="The blobs that hold it.")
    width: int
    height: int
    relation: str = Field(description='The verdict, as "resized" or "different"; "" unverified.')
    score: float | None = Field(description="How sure the verdict is, 0 to 1.")
    is_copy: bool
    hamming: int = Field(description="Bits in which the 64-bit hashes differ; 64: not proposed.")
    similarity: dict[str, float] = Field(description="Cosine of the embeddings, by model.")
    transform: str = Field(description="In words, how the query lies on this image.")
    homography: list[list[float]] = Field(
        description="Pixels of the query to pixels of this image, row by row; empty for none."
    )
    reason: str


class Answer(BaseModel):
    """The neighbours of a query, verified copies first."""

    query: str
    width: int
    height: int
    matches: list[MatchFacts]
    snapshot: SnapshotFacts


class Known(StrEnum):
    """Whether the index has a picture already."""

    SAME_BYTES = "same_bytes"
    COPY = "copy"
    NO = "no"


class Check(BaseModel):
    """Have we this already?"""

    known: Known
    digest: str = Field(description="SHA-256 of what was sent, hex.")
    match: MatchFacts | None = Field(description="What it is a copy of; null when it is of none.")
    uris: list[str] = Field(description="Where the index has it.")
    snapshot: SnapshotFacts


class Added(BaseModel):
    """An image of the index."""

    uri: str
    digest: str
    is_new: bool = Field(description="False when the index had these very bytes already.")


class ImageFacts(BaseModel):
    """What the index knows of one content."""

    digest: str
    uris: list[str]
    format: str
    width: int
    height: int
    bytes: int
    taken_at: str
    camera: str


class Groups(BaseModel):
    """A page of the groups of the last resolve."""

    total: int = Field(description="Groups of this kind, on all pages.")
    first: int
    groups: list[dict[str, Any]] = Field(description="As the lines of groups.jsonl.")


class ListFacts(BaseModel):
    """One of the lists."""

    name: str
    bytes: int
    modified: float = Field(description="Seconds since the epoch.")


class Lists(BaseModel):
    """What the last resolve wrote."""

    lists: list[ListFacts]
    summary: dict[str, Any] = Field(description="As summary.json.")
