"""A container that is indexed twice: the second run must make listing requests and no others."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from azure.storage.blob import BlobServiceClient, generate_container_sas

from benchmarks.soak.pictures import name_of, picture
from benchmarks.soak.runs import index_once

_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the two runs asked for."""

    blobs: int
    first_lists: int
    first_reads: int
    first_bytes: int
    bytes_stored: int
    again_lists: int
    again_reads: int
    again_bytes: int
    again_unchanged: int

    def faults_found(self) -> list[str]:
        """What is not as it must be."""
        checks = {
            "a new content took more than one request": self.first_reads == self.blobs,
            "bytes were read twice": self.first_bytes == self.bytes_stored,
            "an unchanged blob was read": (self.again_reads, self.again_bytes) == (0, 0),
            "more was listed than there is": self.again_lists == -(-self.blobs // _PAGE),
            "something unchanged is taken for new": self.again_unchanged == self.blobs,
        }
        return [name for name, holds in checks.items() if not holds]


def measure(blobs: int, folder: Path, connection_string: str) -> Outcome:
    """Both runs, on a container that is made for them and removed."""
    with BlobServiceClient.from_connection_string(connection_string) as service:
        container = service.create_container(f"dedup-soak-{uuid.uuid4().hex}")
        try:
            contents = [picture(number) for number in range(blobs)]
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(container.upload_blob, map(name_of, range(blobs)), contents))
            url = f"{container.url}?{_sas(container.container_name, service)}"
            first = index_once(folder / "index", url)
            again = index_once(folder / "index", url)
        finally:
            container.delete_container()
    return Outcome(
        blobs=blobs,
        first_lists=first["list_requests"],
        first_reads=first["read_requests"],
        first_bytes=first["bytes_read"],
        bytes_stored=sum(map(len, contents)),
        again_lists=again["list_requests"],
        again_reads=again["read_requests"],
        again_bytes=again["bytes_read"],
        again_unchanged=again["unchanged"],
    )


def _sas(container: str, service: BlobServiceClient) -> str:
    return generate_container_sas(
        str(service.account_name),
        container,
        account_key=service.credential.account_key,
        permission="rl",
        expiry="2999-01-01T00:00:00Z",
    )
