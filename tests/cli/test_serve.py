"""`dedup serve` on a real index, asked over HTTP."""

from __future__ import annotations

import csv
import io
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from tests.cli.helpers import (
    ROOT,
    Dedup,
    IndexedGallery,
    crop_of,
    dedup_process,
    photograph,
)
from tests.cli.serving import READ, WRITE, Served, serving


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def picture(name: str) -> Image.Image:
    with Image.open(photograph(name)) as opened:
        return opened.convert("RGB")


@dataclass(frozen=True)
class Gallery:
    """A gallery of its own, its index, its lists, and the folder for uploads."""

    folder: Path
    index: Path
    lists: Path
    uploads: Path


@pytest.fixture(scope="module")
def gallery(indexed: IndexedGallery, tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    base = tmp_path_factory.mktemp("served")
    shutil.copytree(indexed.index, base / "index")
    (base / "uploads").mkdir()
    found = Gallery(indexed.folder, base / "index", base / "lists", base / "uploads")
    dedup_process(
        ["resolve", "--index", found.index, "--out", found.lists], cwd=base
    ).must_succeed()
    return found


@pytest.fixture(scope="module")
def served(gallery: Gallery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    options = ["--lists", gallery.lists, "--source", gallery.folder, "--uploads", gallery.uploads]
    with serving(
        tmp_path_factory.mktemp("service"), gallery.index, *options, "--rate", "1000"
    ) as found:
        yield found
        found.must_live()


def test_a_copy_that_is_sent_is_found_with_how_it_lies_on_its_original(served: Served) -> None:
    with served.client(READ) as client:
        answer = client.post("/v1/query", content=jpeg(crop_of(photograph("astronaut.png"), 0.7)))
    assert answer.status_code == 200
    found = {Path(match["uris"][0]).name: match for match in answer.json()["matches"]}
    original = found["astronaut.png"]
    assert original["relation"] == "cropped" and original["is_copy"]
    assert len(original["homography"]) == 3


def test_an_image_of_a_source_is_asked_about_by_its_name(served: Served, gallery: Gallery) -> None:
    with served.client(READ) as client:
        answer = client.get("/v1/query", params={"uri": f"{gallery.folder}/coffee-half.jpg"})
    copies = [match for match in answer.json()["matches"] if match["is_copy"]]
    assert {Path(match["uris"][0]).name for match in copies} >= {"coffee.png", "coffee-flip.jpg"}


def test_have_we_this_already(served: Served) -> None:
    mirrored = jpeg(ImageOps.mirror(picture("chelsea.png")))
    with served.client(READ) as client:
        same = client.post("/v1/check", content=photograph("chelsea.png").read_bytes()).json()
        copy = client.post("/v1/check", content=mirrored).json()
        other = client.post("/v1/check", content=jpeg(picture("retina.jpg"))).json()
    assert (same["known"], Path(same["uris"][0]).name) == ("same_bytes", "chelsea.png")
    assert copy["known"] == "copy" and copy["match"]["relation"] == "flipped"
    assert Path(copy["uris"][0]).name.startswith("chelsea")
    assert (other["known"], other["match"], other["uris"]) == ("no", None, [])


def test_what_is_added_is_kept_and_known_to_the_next_who_asks(
    served: Served, gallery: Gallery
) -> None:
    content = jpeg(picture("motorcycle_left.png"))
    smaller = jpeg(picture("motorcycle_left.png").resize((370, 250)))
    with served.client(WRITE) as client:
        added = client.post("/v1/images", params={"only_new": True}, content=content)
        again = client.post("/v1/images", params={"only_new": True}, content=content)
        copy = client.post("/v1/images", params={"only_new": True}, content=smaller)
        known = client.get(f"/v1/images/{sha256(content).hexdigest()}").json()
        preview = client.get(f"/v1/images/{sha256(content).hexdigest()}/preview")
    assert added.status_code == 201 and added.json()["is_new"]
    kept = Path(added.json()["uri"])
    assert kept.is_relative_to(gallery.uploads) and kept.read_bytes() == content
    assert again.status_code == 200 and again.json() == added.json() | {"is_new": False}
    assert copy.status_code == 409 and kept.name in copy.json()["error"]
    assert (known["uris"], known["format"], known["bytes"]) == ([str(kept)], "JPEG", len(content))
    assert Image.open(io.BytesIO(preview.content)).size == (640, 432)
    assert [path for path in gallery.uploads.rglob("*") if path.is_file()] == [kept]


def test_an_image_that_came_into_a_source_is_indexed_by_its_name(
    served: Served, gallery: Gallery, indexed: IndexedGallery
) -> None:
    arrived = gallery.folder / "arrived.jpg"
    arrived.write_bytes(jpeg(picture("brick.png").convert("RGB")))
    try:
        with served.client(WRITE) as client:
            added = client.put("/v1/images", params={"uri": str(arrived)}).json()
            found = client.get(f"/v1/images/{added['digest']}").json()
    finally:
        arrived.unlink()
    assert added["is_new"] and found["uris"] == [str(arrived)]


def test_groups_and_lists_are_those_of_the_last_resolve(served: Served, gallery: Gallery) -> None:
    with served.client(READ) as client:
        page = client.get("/v1/groups", params={"order": "bytes", "count": 2}).json()
        flipped = client.get("/v1/groups", params={"relation": "flipped"}).json()
        one = client.get(f"/v1/groups/{page['groups'][0]['id']}").json()
        summary = client.get("/v1/lists").json()
        delete = client.get("/v1/lists/delete.csv")
    assert page["total"] == 4 and len(page["groups"]) == 2
    assert [Path(group["keeper"]["path"]).name for group in flipped["groups"]] == ["coffee.png"]
    assert one == page["groups"][0]
    assert summary["summary"]["delete"] == len(list(csv.DictReader(io.StringIO(delete.text)))) == 5
    assert delete.content == (gallery.lists / "delete.csv").read_bytes()


def test_keys_are_asked_for_and_one_for_reading_writes_nothing(served: Served) -> None:
    content = jpeg(picture("grass.png"))
    with served.client("") as client:
        closed = [
            client.request(method, path, content=content).status_code
            for method, path in (
                ("POST", "/v1/query"), ("GET", "/v1/query?uri=x"), ("POST", "/v1/check"),
                ("POST", "/v1/images"), ("PUT", "/v1/images?uri=x"), ("GET", "/v1/groups"),
                ("GET", "/v1/groups/x"), ("GET", "/v1/lists"), ("GET", "/v1/lists/keep.csv"),
                ("GET", f"/v1/images/{'0' * 64}"), ("GET", "/metrics"),
            )
        ]  # fmt: skip
        opened = [client.get(path).status_code for path in ("/health", "/ready", "/openapi.json")]
    assert set(closed) == {401} and set(opened) == {200}
    with served.client(READ) as client:
        assert client.post("/v1/images", content=content).status_code == 403
        assert client.put("/v1/images", params={"uri": "/x.jpg"}).status_code == 403
    with served.client("") as client:
        bearer = client.get("/v1/lists", headers={"Authorization": f"Bearer {READ}"})
    assert bearer.status_code == 200


def test_prometheus_is_told_routes_and_never_what_a_client_wrote(served: Served) -> None:
    with served.client(READ) as client:
        client.get("/v1/query", params={"uri": "/secret/name.jpg"})
        client.get("/no/such/place")
        text = client.get("/metrics").text
    assert 'dedup_requests_total{method="GET",route="/v1/query",status="404"}' in text
    assert 'dedup_requests_total{method="GET",route="other",status="404"}' in text
    assert 'dedup_request_seconds_bucket{le="0.1",route="/v1/query"}' in text
    assert "dedup_images 8.0" in text or "dedup_images 9.0" in text or "dedup_images 10.0" in text
    assert "secret" not in text and "no/such" not in text


def test_who_asks_too_often_is_told_when_to_come_back(
    indexed: IndexedGallery, tmp_path: Path
) -> None:
    with (
        serving(tmp_path, indexed.index, "--rate", "2") as served,
        served.client(READ) as client,
        served.client(WRITE) as other,
    ):
        answers = [client.get("/v1/lists") for _ in range(8)]
        refused = [answer for answer in answers if answer.status_code == 429]
        # None were made; that is the answer of those that may pass.
        assert {answer.status_code for answer in answers} == {404, 429}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
        assert other.get("/v1/lists").status_code == 404


def test_each_answer_is_of_one_state_of_the_index_while_a_run_writes(
    tmp_path: Path, gallery: Gallery
) -> None:
    """A run adds names of one image, and other images; each state has all of a commit or none."""
    folder, index = tmp_path / "pictures", tmp_path / "index"
    folder.mkdir()
    small = picture("coffee.png").resize((160, 120))
    for number in range(24):
        small.rotate(5 * number).save(folder / f"{number:02}.jpg")
    dedup_process(["index", folder, "--index", index], cwd=tmp_path).must_succeed()
    query = (folder / "00.jpg").read_bytes()
    is_over = threading.Event()
    seen: dict[int, set[tuple[int, str]]] = {}
    failures: list[str] = []

    def ask(served: Served) -> None:
        with served.client(READ) as client:
            while not is_over.is_set():
                answer = client.post("/v1/query?top=1&verify=false", content=query)
                if answer.status_code != 200:
                    failures.append(answer.text)
                    continue
                found = answer.json()
                state = found["snapshot"]
                names = " ".join(found["matches"][0]["uris"])
                seen.setdefault(state["number"], set()).add((state["images"], names))

    with serving(tmp_path / "service", index, "--refresh", "0.2", "--rate", "1000") as served:
        threads = [threading.Thread(target=ask, args=(served,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(24):
            shutil.copyfile(folder / "00.jpg", folder / f"again-{number}.jpg")
            small.rotate(7 * number + 3).save(folder / f"new-{number}.jpg")
        dedup_process(["index", folder, "--index", index], cwd=tmp_path).must_succeed()
        time.sleep(1.5)
        is_over.set()
        for thread in threads:
            thread.join()
        served.must_live()
    assert not failures
    assert len(seen) >= 2
    assert all(len(states) == 1 for states in seen.values()), seen
    assert max(seen[max(seen)])[1].count("again-") == 24


def test_it_ends_at_once_when_told_to_and_leaves_no_process(
    indexed: IndexedGallery, tmp_path: Path
) -> None:
    with serving(tmp_path, indexed.index) as served:
        with served.client(READ) as client:
            client.post("/v1/check", content=jpeg(picture("grass.png")))
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(20) in (0, 130, -signal.SIGINT)
        assert "Traceback" not in served.log.read_text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("just-a-word", "line 1, is no key"),
        ("name admin 0123456789012345678901", "line 1, is no key"),
        ("name read short", "too short"),
        ("a read 0123456789012345678901\nb read 0123456789012345678901", "line 2, is there twice"),
        ("# nothing", "There is no key"),
    ],
)
def test_a_file_that_holds_no_keys_is_one_line_without_the_key(
    dedup: Dedup, indexed: IndexedGallery, tmp_path: Path, line: str, said: str
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(line)
    outcome = dedup("serve", "--index", indexed.index, "--api-keys", keys).must_fail(2, said)
    assert "0123456789012345678901" not in outcome.err


def test_it_does_not_listen_to_others_without_keys(dedup: Dedup, indexed: IndexedGallery) -> None:
    dedup("serve", "--index", indexed.index, "--host", "0.0.0.0").must_fail(2, "--api-keys")


def test_a_port_that_is_taken_is_said_before_models_are_loaded(
    dedup: Dedup, indexed: IndexedGallery, served: Served
) -> None:
    dedup("serve", "--index", indexed.index, "--port", str(served.port)).must_fail(2, "--port")


def test_the_description_is_what_the_document_says(served: Served) -> None:
    """Every route is in docs/serve.md."""
    with served.client("") as client:
        routes = client.get("/openapi.json").json()["paths"]
    document = (ROOT / "docs" / "serve.md").read_text()
    for path, methods in routes.items():
        for method in methods:
            assert f"`{method.upper()} {path}`" in document
