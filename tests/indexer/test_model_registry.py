"""Models by name: what they compute, which files are refused, what unknown names are told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from indexer.embedders import known_models, open_clip_embedder, timm_embedder
from indexer.embedders.known_models import KNOWN_MODELS
from indexer.embedders.network import fingerprint_of
from indexer.embedders.registry import load_embedder, split_path
from indexer.embedders.torch_runtime import TorchEmbedder
from storage.errors import ModelError, UsageError
from storage.records import U8

TINY = "test_efficientnet"
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


@pytest.mark.parametrize("name", ["efficientnet_lite0", TINY, "clip:tiny-clip"])
@pytest.mark.parametrize("content", [b"", b"\x80\x02 not weights at all", b"{}"])
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


def test_listing_models_imports_no_deep_learning_library() -> None:
    code = (
        "import sys; from indexer.embedders.registry import list_models; list_models(); "
        "print(sorted({'torch', 'timm', 'open_clip', 'openvino'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
