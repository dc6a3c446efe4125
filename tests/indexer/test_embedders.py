"""Embedders on real photographs: weights mapped right, rows that stand alone, equal runtimes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
import sklearn.datasets
import timm
import torch
from PIL import Image

from indexer.embedders.base import EMBEDDING_TOLERANCE, Embedder
from indexer.embedders.known_models import LITE0_WEIGHTS
from indexer.embedders.network import Network
from indexer.embedders.openvino_runtime import OpenVinoEmbedder
from indexer.embedders.registry import load_embedder
from indexer.embedders.timm_embedder import (
    LITE0_ARCHITECTURE,
    in_order,
    load_backbone,
    load_network,
)
from indexer.embedders.torch_runtime import TorchEmbedder
from storage.records import U8

SCIKIT_IMAGE = Path(skimage.__file__).parent / "data"
SCIKIT_LEARN = Path(sklearn.datasets.__file__).parent / "images"

# ImageNet's numbers of what the photographs show, and how many first guesses must hold one.
SHOWN = {
    SCIKIT_IMAGE / "chelsea.png": ({281, 282, 285}, 1),  # tabby, tiger cat, Egyptian cat
    SCIKIT_IMAGE / "coffee.png": ({967}, 1),  # espresso
    SCIKIT_IMAGE / "camera.png": ({872}, 1),  # tripod
    SCIKIT_IMAGE / "motorcycle_left.png": ({665, 670}, 1),  # moped, motor scooter
    SCIKIT_IMAGE / "rocket.jpg": ({657, 744, 812}, 5),  # missile, projectile, space shuttle
    SCIKIT_LEARN / "flower.jpg": ({985}, 1),  # daisy
    SCIKIT_LEARN / "china.jpg": ({663, 832}, 5),  # monastery, stupa
}
TOPICS = ("chelsea.png", "coffee.png", "camera.png", "rocket.jpg", "page.png", "astronaut.png")


def picture(path: Path, size: int = 224) -> U8:
    """A photograph squashed to a square, uint8 (size, size, 3)."""
    image = np.asarray(Image.open(path).convert("RGB"))
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture(scope="module")
def photographs() -> U8:
    """Eleven photographs, (11, 224, 224, 3): more than one batch."""
    names = (*TOPICS, "motorcycle_left.png", "retina.jpg", "hubble_deep_field.jpg", "moon.png")
    paths = [SCIKIT_IMAGE / name for name in names]
    return np.stack([picture(path) for path in [*paths, SCIKIT_LEARN / "china.jpg"]])


@pytest.fixture(scope="module")
def lite0() -> Network:
    return load_network("efficientnet_lite0")


@pytest.fixture(scope="module")
def by_openvino(lite0: Network) -> OpenVinoEmbedder:
    return OpenVinoEmbedder(lite0, precision="f32", threads=1)


@pytest.fixture(scope="module")
def by_torch(lite0: Network) -> TorchEmbedder:
    return TorchEmbedder(lite0, device="cpu", precision="f32", threads=1)


def recognised(backbone: torch.nn.Module) -> int:
    """In how many of the photographs the network names what is in them."""
    images = np.stack([picture(path) for path in SHOWN])
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1.0
    with torch.inference_mode():
        guesses = backbone(tensor).topk(5).indices.tolist()
    answers = zip(guesses, SHOWN.values(), strict=True)
    return sum(not shown.isdisjoint(guess[:first]) for guess, (shown, first) in answers)


def packaged_tensors() -> dict[str, torch.Tensor]:
    path = LITE0_WEIGHTS.path()
    assert path is not None
    tensors: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return tensors


def test_the_default_network_names_what_is_in_known_photographs() -> None:
    assert recognised(load_backbone("efficientnet_lite0")) == len(SHOWN)


def test_two_exchanged_tensors_of_one_shape_would_be_seen() -> None:
    backbone = timm.create_model(LITE0_ARCHITECTURE, pretrained=False).eval()
    names = list(backbone.state_dict())
    tensors = list(packaged_tensors().values())
    first, second = (
        names.index("blocks.4.1.conv_dw.weight"),
        names.index("blocks.4.2.conv_dw.weight"),
    )
    assert tensors[first].shape == tensors[second].shape
    tensors[first], tensors[second] = tensors[second], tensors[first]
    backbone.load_state_dict(dict(zip(names, tensors, strict=True)))
    assert recognised(backbone) < len(SHOWN)


def test_tensors_in_another_order_are_refused_by_name() -> None:
    backbone = timm.create_model(LITE0_ARCHITECTURE, pretrained=False)
    shuffled = dict(reversed(packaged_tensors().items()))
    with pytest.raises(ValueError, match=r"_fc\.bias .* is in the place of conv_stem\.weight"):
        in_order(shuffled, backbone.state_dict())


def test_tensors_of_one_shape_and_different_kinds_are_not_confused() -> None:
    tensors = packaged_tensors()
    names = list(tensors)
    here, there = names.index("_bn0.weight"), names.index("_bn0.bias")
    names[here], names[there] = names[there], names[here]
    backbone = timm.create_model(LITE0_ARCHITECTURE, pretrained=False)
    with pytest.raises(ValueError, match=r"_bn0\.bias \(32,\) is in the place of bn1\.weight"):
        in_order({name: tensors[name] for name in names}, backbone.state_dict())


def test_openvino_and_torch_agree_on_photographs(
    photographs: U8, by_openvino: Embedder, by_torch: Embedder
) -> None:
    cosines = (by_openvino.embed(photographs) * by_torch.embed(photographs)).sum(axis=1)
    assert cosines.min() >= EMBEDDING_TOLERANCE
    assert by_openvino.spec.fingerprint == by_torch.spec.fingerprint
    assert by_openvino.spec.runtime == "openvino-f32"
    assert by_torch.spec.runtime == "torch-cpu-f32"


@pytest.mark.parametrize("runtime", ["by_openvino", "by_torch"])
def test_a_row_is_the_same_to_the_bit_whatever_it_is_embedded_with(
    runtime: str, photographs: U8, request: pytest.FixtureRequest
) -> None:
    embedder: Embedder = request.getfixturevalue(runtime)
    together = embedder.embed(photographs)
    for count in (1, 5, 8):
        assert np.array_equal(embedder.embed(photographs[:count]), together[:count])
    assert np.array_equal(embedder.embed(photographs[::-1])[::-1], together)


@pytest.mark.parametrize("runtime", ["by_openvino", "by_torch"])
def test_rows_have_length_one_and_no_pictures_give_no_rows(
    runtime: str, photographs: U8, request: pytest.FixtureRequest
) -> None:
    embedder: Embedder = request.getfixturevalue(runtime)
    rows = embedder.embed(photographs[:2])
    assert rows.shape == (2, 1280)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert embedder.embed(photographs[:0]).shape == (0, 1280)


def test_a_recompressed_half_size_copy_is_nearer_than_any_other_photograph(
    photographs: U8, by_openvino: Embedder
) -> None:
    copies = []
    for name in TOPICS:
        image = cv2.imread(str(SCIKIT_IMAGE / name))
        assert image is not None
        smaller = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        _, coded = cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, 60])
        decoded = cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        copies.append(cv2.resize(decoded, (224, 224), interpolation=cv2.INTER_AREA))
    similarity = by_openvino.embed(np.stack(copies)) @ by_openvino.embed(photographs).T
    own = similarity[np.arange(len(TOPICS)), np.arange(len(TOPICS))].copy()
    similarity[np.arange(len(TOPICS)), np.arange(len(TOPICS))] = -1.0
    assert own.min() > similarity.max() + 0.1


def test_pictures_of_another_size_or_type_are_refused(by_openvino: Embedder) -> None:
    for wrong in (np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 224, 224, 3), np.float32)):
        with pytest.raises(ValueError, match="expected uint8 pictures"):
            by_openvino.embed(wrong)  # type: ignore[arg-type]


def test_a_spec_names_the_runtime_that_loads_the_same_again(photographs: U8) -> None:
    first = load_embedder("efficientnet_lite0", device="cpu", threads=1)
    again = load_embedder("efficientnet_lite0", runtime=first.spec.runtime, threads=1)
    assert first.spec == again.spec
    assert first.spec.name == "efficientnet_lite0"
    assert (first.spec.dimension, first.spec.input_size) == (1280, 224)
    assert np.array_equal(first.embed(photographs[:3]), again.embed(photographs[:3]))
