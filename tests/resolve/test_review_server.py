"""Whom the review answers, and with what."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from resolve.lists import write_lists
from resolve.page.groups_file import open_groups
from resolve.page.images import IndexedImages
from resolve.resolution import ResolveOptions
from resolve.resolve import resolve
from resolve.review.decisions_file import DecisionsFile
from resolve.review.server import ASSETS, ReviewServer
from resolve.review.session import MOST_CARDS, Decided, ReviewSession
from storage.catalog import Catalog
from tests.resolve.invented import ToldVerdicts, candidates, copy, image, preview, record
from verify.verdict import Relation

Make = Callable[..., Catalog]
NAMES = ("</script><img src=x onerror=alert(1)>.jpg", '"onload="x.jpg', "\udcff\u202e\n.jpg")


@contextmanager
def _serving(catalog: Catalog, folder: Path) -> Iterator[ReviewServer]:
    told = {
        (1, 2): copy(score=0.97),
        (3, 4): copy(score=0.91, relation=Relation.CROPPED, b_covers_a=False, reason="<b>"),
        (3, 5): copy(score=0.99),
    }
    resolution = resolve(catalog, candidates(told), ToldVerdicts(told), ResolveOptions())
    write_lists(resolution, catalog, folder)
    with DecisionsFile.open(folder / "decisions.jsonl") as decisions:
        decided = Decided(decisions.known)
        with open_groups(folder, decided.saw) as groups:
            session = ReviewSession(groups, IndexedImages(catalog), decisions, decided, 0)
            with ReviewServer(session) as server:
                thread = threading.Thread(target=server.serve_forever, args=(0.01,))
                thread.start()
                yield server
                server.shutdown()
                thread.join()


@pytest.fixture
def server(invented: Make, tmp_path: Path) -> Iterator[ReviewServer]:
    """Two groups: the images 1 and 2, and 3, 4 and 5."""
    catalog = invented(
        image("/p/a.jpg"), image(f"/p/{NAMES[0]}"),
        image(f"/q/{NAMES[1]}", record_=record("large", width=2000, height=1600)),
        image(f"/q/{NAMES[2]}"), image("/q/e.jpg"),
    )  # fmt: skip
    with _serving(catalog, tmp_path) as found:
        yield found


def _ask(
    server: ReviewServer, path: str, body: object = None, *, secret: str | None = None,
    method: str = "", **headers: str,
) -> tuple[int, dict[str, str], bytes]:  # fmt: skip
    host = f"127.0.0.1:{server.server_port}"
    sent = {"Host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        sent = {"Content-Type": "application/json", "Origin": f"http://{host}"} | sent
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        connection.putrequest(
            method or ("GET" if body is None else "POST"),
            f"/{server.token if secret is None else secret}/{path}",
            skip_host=True,
        )
        content = None if body is None else json.dumps(body).encode()
        for name, value in sent.items():
            connection.putheader(name, value)
        if content is not None and "Content-Length" not in sent:
            connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def _json(server: ReviewServer, path: str, body: object = None) -> Any:
    status, _, content = _ask(server, path, body)
    assert status == 200, content
    return json.loads(content)


def test_it_listens_on_loopback_only(server: ReviewServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("secret", ["", "x", "%00", "x" * 32])
def test_nothing_is_answered_without_the_secret(server: ReviewServer, secret: str) -> None:
    for path in (*ASSETS, "groups", "preview/" + "0" * 64):
        status, _, content = _ask(server, path, secret=secret)
        assert status == 404
        assert b"dedup review printed" in content


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Host", "evil.example"),
        ("Host", "127.0.0.1"),
        ("Host", "127.0.0.1.evil.example:80"),
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Origin", "https://127.0.0.1"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ],
)
def test_other_hosts_and_origins_are_refused_even_with_the_secret(
    server: ReviewServer, tmp_path: Path, header: str, value: str
) -> None:
    for path, body in (("", None), ("groups", None), ("undo", {})):
        status, _, content = _ask(server, path, body, **{header.replace("-", "_"): value})
        assert status in (403, 421)
        assert b"/p/" not in content
    assert not (tmp_path / "decisions.jsonl").exists()


def test_a_post_needs_an_origin_and_json_and_a_length_that_is_small(server: ReviewServer) -> None:
    own = f"http://127.0.0.1:{server.server_port}"
    assert _ask(server, "undo", method="POST", Content_Length="2")[0] == 403
    assert _ask(server, "undo", {}, Content_Type="text/plain")[0] == 415
    assert _ask(server, "undo", {}, Content_Length="-1")[0] == 411
    assert _ask(server, "undo", {}, Content_Length="1000000000")[0] == 413
    assert _ask(server, "undo", [], Origin=own)[0] == 400
    assert _ask(server, "decide", {"group": 1})[0] == 400
    assert _ask(server, "nothing", {})[0] == 404
    for method in ("PUT", "DELETE", "OPTIONS", "CONNECT"):
        assert _ask(server, "", method=method)[0] == 501


def test_every_answer_forbids_what_is_not_its_own(server: ReviewServer) -> None:
    for path in (*ASSETS, "groups", "nothing", "../resolve.py"):
        _, headers, _ = _ask(server, path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers
        assert "Python" not in str(headers)


def test_the_page_and_its_files_ask_the_network_for_nothing(server: ReviewServer) -> None:
    for path in ASSETS:
        status, _, content = _ask(server, path)
        assert status == 200
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text
        assert "innerHTML" not in text


def test_cards_come_least_certain_first_a_page_at_a_time(server: ReviewServer) -> None:
    page = _json(server, "groups?count=1")
    assert (page["first"], page["total"], len(page["cards"])) == (0, 2, 1)
    assert page["cards"][0]["score"] == pytest.approx(0.91)
    assert [each["relation"] for each in page["cards"][0]["copies"]] == ["cropped", "reencoded"]
    assert _json(server, "groups?first=1&count=100000")["cards"][0]["score"] == pytest.approx(0.97)
    assert _json(server, "groups?first=-5")["first"] == 0
    assert _json(server, "groups?relation=cropped")["total"] == 1
    assert _json(server, "groups?folder=/P/")["total"] == 1
    assert _json(server, "groups?folder=nowhere")["cards"] == []
    assert MOST_CARDS < 100
    for bad in ("order=x", "relation=x", "first=x", "count=1e9"):
        assert _ask(server, f"groups?{bad}")[0] == 400


def test_a_preview_comes_from_the_index(server: ReviewServer) -> None:
    card = _json(server, "groups")["cards"][0]
    status, headers, content = _ask(server, card["keeper"]["preview"])
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert content == preview()
    assert _ask(server, "preview/" + "0" * 64)[0] == 404
    assert _ask(server, "preview/../../../etc/passwd")[0] == 404


def test_decisions_are_saved_before_the_answer_and_shown_on_the_card(
    server: ReviewServer, tmp_path: Path
) -> None:
    card = _json(server, "groups")["cards"][0]
    copies = [each["digest"] for each in card["copies"]]
    answer = _json(
        server, "decide", {"group": card["id"], "action": "not_same", "digest": copies[1]}
    )
    assert answer["card"]["apart"] == [copies[1]]
    assert len((tmp_path / "decisions.jsonl").read_text().splitlines()) == 1
    answer = _json(server, "decide", {"group": card["id"], "action": "keep_all"})
    assert answer["saved"] == 3
    page = _json(server, "groups?undecided=1")
    assert (page["total"], page["decided"], page["is_stale"]) == (1, 1, True)
    assert _json(server, "undo", {}) == {"group": card["id"]}
    assert _json(server, "undo", {}) == {"group": card["id"]}
    assert _json(server, "groups?undecided=1")["total"] == 2
    assert _json(server, "undo", {}) == {"group": None}


@pytest.mark.parametrize(
    "body",
    [
        {"group": "x", "action": "keep_all"},
        {"action": "keep", "digest": "0" * 64},
        {"action": "not_same", "digest": "keeper"},
        {"action": "delete", "digest": "keeper"},
    ],
)
def test_what_makes_no_sense_is_refused_in_words_and_saves_nothing(
    server: ReviewServer, tmp_path: Path, body: dict[str, str]
) -> None:
    card = _json(server, "groups")["cards"][0]
    if body.get("digest") == "keeper":
        body = body | {"digest": card["keeper"]["digest"]}
    status, _, content = _ask(server, "decide", {"group": card["id"]} | body)
    assert status == 409
    assert json.loads(content)["error"]
    assert not (tmp_path / "decisions.jsonl").exists()
