"""Settings: where they come from, which wins, and what is said of one that does not fit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.config import SETTING_NAMES, Settings, load_settings
from cli.setting_values import MATCHERS, RAW_PAIRS, RUNTIMES, STRICTNESSES, Choice
from indexer.embedders.registry import RUNTIMES as KNOWN_RUNTIMES
from resolve.raw_pairs import RawPairs
from storage.errors import UsageError
from verify.calibration import Strictness
from verify.matchers.registry import MATCHER_NAMES


def _load(
    folder: Path,
    toml: str | None = None,
    environment: dict[str, str] | None = None,
    config: Path | None = None,
    **flags: object,
) -> Settings:
    if toml is not None:
        (folder / "dedup.toml").write_text(toml)
    return load_settings(flags, environment or {}, folder, config)


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    settings = _load(tmp_path)
    assert settings.index == Path("dedup-index")
    assert settings.model == (Choice("efficientnet_lite0"),)
    assert settings.strictness == "safe"
    assert settings.workers >= 1


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    toml = "top = 1\nworkers = 2\npreview_size = 320\n"
    environment = {"DEDUP_WORKERS": "3", "DEDUP_PREVIEW_SIZE": "480"}
    settings = _load(tmp_path, toml, environment, preview_size=512)
    assert (settings.top, settings.workers, settings.preview_size) == (1, 3, 512)


@pytest.mark.parametrize("name", SETTING_NAMES)
def test_every_setting_has_one_name_in_all_three_places(tmp_path: Path, name: str) -> None:
    values = {
        "index": "elsewhere", "model": "resnet18=w.pt", "workers": "3", "memory": "2048",
        "engine": "ray", "address": "HEAD:6379",
        "readers": "4", "trust_md5": "true",
        "max_requests_per_second": "7", "account_url": "https://a.blob.core.windows.net",
        "preview_size": "200", "image_timeout": "5", "max_megapixels": "12",
        "max_megabytes": "64", "image_memory": "512", "runtime": "torch",
        "device": "cpu", "top": "3", "verify": "false", "matcher": "xfeat", "out": "lists",
        "strictness": "loose", "prefer": "oldest", "protect": "/photos", "json": "true",
        "against": "archive", "quarantine": "az://archive/quarantine", "link": "symbolic",
        "tag": "copy=yes", "check": "etag", "price_per_gb": "0.02",
        "second_look": "loftr=w.ckpt", "include": "*.jpg", "exclude": "thumbs/",
        "since": "2024-05-31", "watch": "true", "interval": "60", "relist_interval": "3600",
        "event_queue": "https://a.queue.core.windows.net/q", "change_feed": "true", "port": "8080",
            "host": "::1", "api_keys": "keys.txt", "source": "/photos", "uploads": "/uploads",
            "rate": "5", "quiet": "true", "max_upload_megabytes": "8", "refresh": "2",
            "raw_pairs": "jpeg",
    }  # fmt: skip
    text = values[name]
    from_flag = _load(tmp_path, **{name: text})
    from_environment = _load(tmp_path, environment={f"DEDUP_{name.upper()}": text})
    from_file = _load(tmp_path, toml=f"{name} = '{text}'")
    assert from_flag == from_environment == from_file
    assert getattr(from_flag, name) != getattr(_load(tmp_path, toml=""), name)


def test_the_file_writes_values_as_toml_does(tmp_path: Path) -> None:
    settings = _load(
        tmp_path,
        "verify = false\nmodel = ['a=x.pt', 'b']\nmax_requests_per_second = 5\n",
    )
    assert settings.verify is False
    assert settings.model == (Choice("a", Path("x.pt")), Choice("b"))
    assert settings.max_requests_per_second == 5.0


def test_the_environment_separates_several_names_by_commas(tmp_path: Path) -> None:
    assert _load(tmp_path, environment={"DEDUP_MODEL": "a, b"}).model == (
        Choice("a"),
        Choice("b"),
    )


def test_a_misspelt_key_of_the_file_is_named_with_what_was_meant(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        _load(tmp_path, "worker = 2")
    assert "'worker'" in str(raised.value)
    assert "dedup.toml" in str(raised.value)
    assert "Did you mean workers" in str(raised.value)


def test_a_misspelt_variable_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"DEDUP_STRICTNES.*strictness"):
        _load(tmp_path, environment={"DEDUP_STRICTNES": "loose"})


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"strictness": "strict"}, "--strictness is 'strict'.*safe, balanced, loose"),
        ({"workers": 0}, "--workers is 0.*from 1 to 1024"),
        ({"matcher": ["akaze"]}, "--matcher is .'akaze'.*orb, sift"),
        ({"model": ["resnet18="]}, "--model.*NAME=PATH"),
        ({"preview_size": "big"}, "--preview-size is 'big'.*whole number"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_would(
    tmp_path: Path, flags: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        _load(tmp_path, **flags)


def test_a_value_of_the_file_is_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"runtime in .*dedup.toml is 'cuda'.*openvino"):
        _load(tmp_path, "runtime = 'cuda'")


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.toml cannot be read"):
        _load(tmp_path, config=tmp_path / "missing.toml")


def test_a_file_that_is_no_toml_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no valid TOML"):
        _load(tmp_path, "workers: 2")


def test_the_variable_dedup_config_names_the_file(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("top = 4")
    assert _load(tmp_path, "top = 1", {"DEDUP_CONFIG": str(other)}).top == 4


def test_the_connection_string_is_no_setting_of_ours(tmp_path: Path) -> None:
    settings = _load(tmp_path, environment={"AZURE_STORAGE_CONNECTION_STRING": "AccountKey=k"})
    assert settings.connection_string == "AccountKey=k"
    with pytest.raises(UsageError, match="connection_string"):
        _load(tmp_path, "connection_string = 'AccountKey=k'")


def test_the_allowed_values_are_those_that_the_parts_know() -> None:
    assert set(RUNTIMES) == set(KNOWN_RUNTIMES)
    assert set(MATCHERS) == set(MATCHER_NAMES)
    assert set(RAW_PAIRS) == {which.value for which in RawPairs}
    assert set(STRICTNESSES) == {strictness.value for strictness in Strictness}


def test_a_date_is_midnight_here_and_a_time_may_name_its_zone(tmp_path: Path) -> None:
    midnight = datetime(2024, 5, 31).timestamp()
    assert _load(tmp_path, since="2024-05-31").since == midnight
    assert _load(tmp_path, toml="since = 2024-05-31").since == midnight
    noon = datetime(2024, 5, 31, 12, tzinfo=UTC).timestamp()
    assert _load(tmp_path, since="2024-05-31T12:00Z").since == noon
    assert _load(tmp_path, toml="since = 2024-05-31T14:00:00+02:00").since == noon


@pytest.mark.parametrize("text", ["yesterday", "2024-13-01", "", "31.5.2024", "0001-01-01"])
def test_a_date_that_is_none_is_refused_with_how_to_write_one(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="2024-05-31T18:00Z"):
        _load(tmp_path, since=text)
