"""What strangers may send to `dedup serve`: it refuses, it goes on, and it tells nothing."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.hostile.variants import encode
from tests.cli.helpers import IndexedGallery, photograph
from tests.cli.serving import READ, WRITE, Served, serving
from tests.indexer import test_bombs as bombs

MAX_MEGABYTES = 4


@pytest.fixture(scope="module")
def place(indexed: IndexedGallery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Uploads, a source with links that lead out of it, and a secret beside them."""
    base = tmp_path_factory.mktemp("hostile")
    for name in ("uploads", "source"):
        (base / name).mkdir()
    (base / "secret.jpg").write_bytes(photograph("rocket.jpg").read_bytes())
    (base / "source-but-not-it").mkdir()
    (base / "source-but-not-it" / "a.jpg").write_bytes((base / "secret.jpg").read_bytes())
    (base / "source" / "link.jpg").symlink_to(base / "secret.jpg")
    (base / "source" / "out").symlink_to(base)
    (base / "source" / "notes.txt").write_text("secret")
    os.mkfifo(base / "source" / "pipe.jpg")
    (base / "source" / "inside.jpg").write_bytes((base / "secret.jpg").read_bytes())
    return base


@pytest.fixture(scope="module")
def served(
    indexed: IndexedGallery, place: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    base = tmp_path_factory.mktemp("hostile-service")
    shutil.copytree(indexed.index, base / "index")
    options: list[str | Path] = ["--source", place / "source", "--uploads", place / "uploads"]
    options += ["--max-upload-megabytes", str(MAX_MEGABYTES), "--max-megapixels", "30"]
    options += ["--image-timeout", "5", "--image-memory", "512", "--rate", "1000"]
    with serving(base, base / "index", *options) as found:
        yield found


@pytest.fixture(autouse=True)
def _it_lives_and_has_kept_nothing(served: Served, place: Path) -> Iterator[None]:
    yield
    served.must_live()
    assert not [path for path in (place / "uploads").rglob("*") if path.is_file()]


def endless_png() -> bytes:
    """20,000 × 20,000 grey pixels that are really there, in 400 kB."""
    side = 20_000
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(side + 1)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _photograph() -> bytes:
    with Image.open(photograph("coffee.png")) as opened:
        return encode(opened.convert("RGB"), "JPEG", quality=90)


REFUSED: dict[str, bytes] = {
    "png bomb": bombs.png(),
    "png bomb with all its pixels": endless_png(),
    "jpeg bomb": bombs.jpeg(),
    "tiff bomb": bombs.tiff(),
    "webp bomb": bombs.webp(),
    "gif bomb": bombs.gif(),
    "truncated jpeg": _photograph()[:4000],
    "truncated png": photograph("chelsea.png").read_bytes()[:3000],
    "html": b"<html><script>alert(1)</script></html>",
    "svg that reads a file": b'<svg><image href="file:///etc/passwd"/></svg>',
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
    "pdf": b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>",
    "zip": b"PK\x03\x04" + bytes(100),
    "program": b"\x7fELF" + bytes(200),
    "pickle": b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93.",
    "nul": bytes(1000),
    "name of a file": b"/etc/passwd",
    "magick script": b"push graphic-context\nfill 'url(https://127.0.0.1/x.jpg)'\n",
    "one byte": b"\xff",
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_it_is_refused_with_a_reason_wherever_it_is_sent(served: Served, kind: str) -> None:
    with served.client(WRITE) as client:
        for path in ("/v1/query", "/v1/check", "/v1/images", "/v1/images?only_new=true"):
            answer = client.post(path, content=REFUSED[kind])
            assert answer.status_code == 422, (path, answer.text)
            assert answer.json()["error"]
            _tells_nothing(answer.text)


def _tells_nothing(text: str) -> None:
    for word in ("/tmp", "root:", "Traceback", ".py", "site-packages", READ, WRITE, "secret"):
        assert word not in text, text


def test_a_polyglot_is_the_picture_that_it_is_and_nothing_else(served: Served) -> None:
    """A JPEG with a page, a script and an archive behind it: seen as a JPEG, served as one."""
    content = (
        _photograph() + b"<script>alert(1)</script><?php system('id') ?>PK\x03\x04" + bytes(64)
    )
    with served.client(READ) as client:
        found = client.post("/v1/query?top=1", content=content)
        best = found.json()["matches"][0]
        preview = client.get(f"/v1/images/{best['digest']}/preview")
    assert Path(best["uris"][0]).name.startswith("coffee") and best["is_copy"]
    assert preview.headers["content-type"] == "image/jpeg"
    assert preview.headers["x-content-type-options"] == "nosniff"
    assert b"script" not in preview.content


def test_what_is_called_something_else_is_seen_for_what_it_is(served: Served) -> None:
    with served.client(READ) as client:
        for kind in (
            "text/html",
            "application/json",
            "multipart/form-data; boundary=x",
            "",
            "x" * 900,
        ):
            answer = client.post(
                "/v1/query?top=1", content=_photograph(), headers={"Content-Type": kind}
            )
            assert answer.status_code == 200, answer.text


def test_no_name_leads_out_of_the_sources(served: Served, place: Path) -> None:
    source, secret = place / "source", place / "secret.jpg"
    names = [
        str(secret), f"{source}/../secret.jpg", f"{source}/link.jpg", f"{source}/out/secret.jpg",
        f"{source}/./inside.jpg", f"{source}//inside.jpg", f"{source}/notes.txt", str(source),
        f"{source}/", f"{source}/pipe.jpg", f"{place}/source-but-not-it/a.jpg", "/etc/passwd",
        "/proc/self/environ.jpg", f"{source}/inside.jpg\0.png", f"{source}/inside.jpg\n", "~/a.jpg",
        f"file://{secret}", "http://127.0.0.1:1/a.jpg", "http://169.254.169.254/latest/a.jpg",
        "https://example.com/a.jpg", "az://account/container/a.jpg", "\\\\host\\share\\a.jpg",
        "gopher://127.0.0.1/a.jpg", "a.jpg", ".", "%2e%2e/a.jpg", f"{source}/" + "a" * 300 + ".jpg",
        f"{source}/" + "a/" * 1500 + "b.jpg",
    ]  # fmt: skip
    with served.client(WRITE) as client:
        for name in names:
            for method, path in (("GET", "/v1/query"), ("PUT", "/v1/images")):
                answer = client.request(method, path, params={"uri": name})
                assert answer.status_code in (404, 422), (name, answer.text)
                _tells_nothing(answer.text)
        inside = client.get("/v1/query?top=1", params={"uri": f"{source}/inside.jpg"})
        assert inside.status_code == 200


def test_no_path_leads_out_of_the_lists(served: Served) -> None:
    with served.client(READ) as client:
        for path in (
            "/v1/lists/../index/lock", "/v1/lists/..%2f..%2fkeys.txt", "/v1/lists/%2e%2e/keys.txt",
            "/v1/lists/keys.txt", "/v1/lists/%00", "/v1/groups/..%2f", "/v1/images/..%2f..%2fetc",
            "/v1/images/" + "g" * 64, "/v1/images/" + "0" * 63, "//etc/passwd", "/docs", "/redoc",
        ):  # fmt: skip
            answer = client.get(path)
            assert answer.status_code in (404, 422), (path, answer.status_code)
            _tells_nothing(answer.text)


def test_a_body_that_is_too_large_is_not_read_to_its_end(served: Served) -> None:
    with served.client(READ) as client:
        for length in (MAX_MEGABYTES * 2**20 + 1, 32 * 2**20):
            declared = client.post("/v1/check", content=bytes(length))
            assert declared.status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(256):
            yield bytes(1 << 18)

    with served.client(READ) as client:
        try:
            assert client.post("/v1/check", content=endless()).status_code == 413
        except OSError:
            pass
        except Exception as error:  # noqa: BLE001 - httpx has its own for a closed connection
            assert type(error).__module__.startswith("http"), error
    head = f"POST /v1/check HTTP/1.1\r\nHost: a\r\nX-API-Key: {READ}\r\n".encode()
    told = served.raw(head + b"Content-Length: 99999999999999999999\r\n\r\n", is_ended=False)
    assert b" 413 " in told


def test_headers_that_are_giant_or_nonsense_end_the_connection(served: Served) -> None:
    line = b"GET /health HTTP/1.1\r\nHost: a\r\n"
    for request in (
        line + b"X-A: " + b"a" * 200_000 + b"\r\n\r\n",
        line + b"".join(b"X-%d: a\r\n" % number for number in range(20_000)) + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        line + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        line + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nZZ\r\n",
        line + b"Content-Length: -1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"\0" * 1000,
        b"GET /health HTTP/9.9\r\n\r\n",
    ):
        answer = served.raw(request)
        assert not answer or answer.split(b" ")[1][:1] == b"4" or b" 200 " in answer[:20], answer
        _tells_nothing(answer.decode("latin-1"))


def test_one_who_hangs_up_in_the_middle_is_forgotten(served: Served) -> None:
    with served.client(READ) as client:
        client.get("/v1/lists")
    before = served.descriptors
    head = (
        f"POST /v1/check HTTP/1.1\r\nHost: a\r\nX-API-Key: {READ}\r\nContent-Length: 900000\r\n\r\n"
    )
    for _ in range(40):
        served.raw(head.encode() + bytes(1000))
    assert served.descriptors <= before + 10


def test_hundreds_of_bad_images_cost_neither_memory_nor_descriptors(served: Served) -> None:
    random = np.random.default_rng(1)
    whole = _photograph()
    with served.client(READ) as client:

        def send(count: int) -> None:
            for _ in range(count):
                damaged = bytearray(whole[: random.integers(200, len(whole))])
                for place in random.integers(0, len(damaged), 8):
                    damaged[place] = random.integers(256)
                assert client.post("/v1/check", content=bytes(damaged)).status_code in (200, 422)

        send(30)
        before, descriptors = served.resident, served.descriptors
        send(120)
        assert served.resident < before + 100 * 2**20
        assert served.descriptors <= descriptors + 10
