"""Azure's storage emulator, run for a while."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

_PROGRAMS = Path(__file__).resolve().parents[1] / "node_modules" / ".bin"
# The well-known account of the emulator, the same on every machine.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_START_SECONDS = 60.0


@contextmanager
def running(service: str, folder: Path, accounts: Mapping[str, str] | None = None) -> Iterator[str]:
    """The endpoint of an emulator of this service, without the account's name.

    Args:
        service: blob or queue.
        folder: where it may write.
        accounts: name to key; the well-known one when None.
    """
    program = _PROGRAMS / f"azurite-{service}"
    if not program.exists():
        pytest.fail(f"{program} is missing: run `npm ci` (make test does).")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log.txt"
    command = [
        str(program),
        f"--{service}Port", str(port),
        "--inMemoryPersistence",
        "--skipApiVersionCheck",
        "--disableTelemetry",
        "--silent",
        "--loose",
    ]  # fmt: skip
    environment = _environment()
    if accounts:
        environment["AZURITE_ACCOUNTS"] = ";".join(f"{n}:{k}" for n, k in accounts.items())
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output, env=environment
        )
    try:
        _wait_for(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def connection_string(service: str, endpoint: str, account: str = ACCOUNT, key: str = KEY) -> str:
    """For one account of the emulator at this endpoint."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};"
        f"{service.capitalize()}Endpoint={endpoint}/{account};"
    )


def _environment() -> dict[str, str]:
    # A proxy of the machine's has nothing to do with an emulator on this host.
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"The Azure emulator did not start: {log.read_text(errors='replace')}")
