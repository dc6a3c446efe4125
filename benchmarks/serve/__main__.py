"""How many requests `dedup serve` answers a second, and how long the slowest take.

    python -m benchmarks.serve [--images 100000] [--seconds 20] [--clients 4] [--keep DIR]

Fills an index with a made-up collection (benchmarks.scale) under the real model, with real
photographs for previews, starts the service on it in a process of its own, and asks from several
connections at once. Queries are photographs cropped and encoded anew, none known by its bytes:
each is decoded, embedded eight ways round, searched for and, where it says so, verified against ten
neighbours. Client and service share the machine.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from benchmarks.scale.filling import fill
from benchmarks.scale.world import World
from indexer.embedders.registry import load_embedder
from storage.parameters import ModelParameters

KEY = "the-key-of-the-load-test"
_PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "ihc.png")
_QUERIES = 200
Ask = Callable[[httpx.Client, bytes], httpx.Response]
_WAYS: dict[str, Ask] = {
    "health": lambda client, _: client.get("/health"),
    "check, verified": lambda client, image: client.post("/v1/check", content=image),
    "query, not verified": lambda client, image: client.post(
        "/v1/query?verify=false", content=image
    ),
    "query, verified": lambda client, image: client.post("/v1/query", content=image),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each kind of request")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--keep", type=Path, help="where the index is, or is to be kept")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="dedup-serve-"))
    try:
        found = measure(folder, arguments.images, arguments.seconds, arguments.clients)
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(found, indent=2))
    return 0


def measure(folder: Path, images: int, seconds: float, clients: int) -> dict[str, Any]:
    """Figures by name: milliseconds, requests a second, MB."""
    index = folder / "index"
    if not index.exists():
        made = folder / "index.being-made"
        _fill(made, images)
        made.rename(index)
    keys = folder / "keys.txt"
    keys.write_text(f"load write {KEY}\n")
    command = [sys.executable, "-m", "cli", "serve", "--index", index, "--api-keys", keys]
    started = time.monotonic()
    process = subprocess.Popen(
        [*map(str, command), "--rate", "100000"], stdout=subprocess.PIPE, text=True, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        url = process.stdout.readline().removeprefix("serving ").strip()
        httpx.get(url + "/ready", timeout=3600).raise_for_status()
        ready = time.monotonic() - started
        queries = _queries()
        _load(url, _WAYS["query, verified"], queries, 3.0, clients)
        found: dict[str, Any] = {
            "images": images,
            "clients": clients,
            "cores": len(os.sched_getaffinity(0)),
            "seconds until ready": round(ready, 1),
        }
        for name, ask in _WAYS.items():
            found[name] = _load(url, ask, queries, seconds, clients, process.pid)
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        found["resident MB"] = round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
        return found
    finally:
        process.terminate()
        process.wait(30)


def _fill(path: Path, images: int) -> None:
    spec = load_embedder("efficientnet_lite0").spec
    model = ModelParameters(
        spec.name, spec.dimension, spec.fingerprint, spec.runtime, spec.input_size
    )
    previews = []
    for name in _PHOTOGRAPHS:
        photograph = _photograph(name)
        photograph.thumbnail((320, 320))
        previews.append(_jpeg(photograph))
    fill(World.planned(images, spec.dimension), path, model=model, previews=previews)


def _queries() -> list[bytes]:
    draw = np.random.default_rng(1)
    made = []
    for number in range(_QUERIES):
        photograph = _photograph(_PHOTOGRAPHS[number % len(_PHOTOGRAPHS)])
        width, height = photograph.size
        left, top = (int(draw.integers(side // 8)) for side in (width, height))
        made.append(
            _jpeg(photograph.crop((left, top, left + width * 7 // 8, top + height * 7 // 8)))
        )
    return made


def _load(
    url: str, ask: Ask, queries: list[bytes], seconds: float, clients: int, pid: int = 0
) -> dict[str, float]:
    """Each client asks again as soon as it is answered."""
    times: list[float] = []
    until = time.monotonic() + seconds

    def work(number: int) -> None:
        place = number
        with httpx.Client(base_url=url, headers={"X-API-Key": KEY}, timeout=120) as client:
            while time.monotonic() < until:
                began = time.monotonic()
                ask(client, queries[place % len(queries)]).raise_for_status()
                times.append(time.monotonic() - began)
                place += clients

    spent, began = _processor_seconds(pid), time.monotonic()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall, spent = time.monotonic() - began, _processor_seconds(pid) - spent
    p50, p99 = np.percentile(times, (50, 99))
    return {
        "requests": len(times),
        "p50 ms": round(1000 * float(p50), 1),
        "p99 ms": round(1000 * float(p99), 1),
        "requests/s": round(len(times) / wall, 2),
        # Of the time that the service had a core for itself: what else runs does not count.
        "requests/s per core": round(len(times) / spent, 2) if spent else 0.0,
    }


def _processor_seconds(pid: int) -> float:
    """Of the service and its decoders so far."""
    if not pid:
        return 0.0
    import psutil

    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in family)


def _photograph(name: str) -> Image.Image:
    with Image.open(str(files("skimage") / "data" / name)) as opened:
        return opened.convert("RGB")


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
