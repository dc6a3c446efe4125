"""Every setting of every command, from four places: flags, environment, `dedup.toml`, defaults.

One name everywhere: the flag `--max-requests-per-second`, the variable
`DEDUP_MAX_REQUESTS_PER_SECOND` and the key `max_requests_per_second` of dedup.toml are the same
setting. What stands earlier in this list wins: flags, environment, dedup.toml, default.
Secrets are no settings: they come from the variables Azure's own tools read.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from datetime import time as clock_time
from pathlib import Path
from typing import Any

from storage.errors import UsageError

CONFIG_FILE = "dedup.toml"
ENVIRONMENT_PREFIX = "DEDUP_"
CONFIG_VARIABLE = "DEDUP_CONFIG"
CONNECTION_STRING_VARIABLE = "AZURE_STORAGE_CONNECTION_STRING"

# Copies of what the parts allow, so that `--help` need not load them; a test compares them.
RUNTIMES = (
    "auto",
    "openvino",
    "openvino-f32",
    "openvino-bf16",
    "torch",
    "torch-cpu-f32",
    "torch-cuda-f16",
)
STRICTNESSES = ("safe", "balanced", "loose")
LINKS = ("hard", "symbolic")
CHECKS = ("content", "etag")
SECOND_LOOKS = ("auto", "none", "loftr")
MATCHERS = ("orb", "sift", "loftr", "keynet", "xfeat", "disk-lightglue")


def _default_workers() -> int:
    """The cores this process may use, which in a container are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Choice:
    """A model or matcher, and where its weights are; None lets dedup look for them."""

    name: str
    weights: Path | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What a command runs with. Made by `load_settings`, which has checked every value.

    Attributes:
        index: the index directory.
        model: the embedding models, in the order given.
        workers: processes that decode images or verify pairs.
        max_requests_per_second: reads of a cloud source, a second.
        account_url: https://ACCOUNT.blob.core.windows.net, with the credentials of this machine.
        connection_string: from AZURE_STORAGE_CONNECTION_STRING; never printed.
        include, exclude: patterns of names to look at, and not to.
        since: only what was modified at this time or later is looked at, seconds since the epoch;
            None for no such limit.
        watch: whether indexing goes on until it is interrupted.
        interval: seconds between two looks of a watch.
        relist_interval: seconds between its full listings when something tells it what changed.
        event_queue: addresses of queues that Event Grid delivers to.
        change_feed: whether the change feeds of the sources' accounts are asked.
        preview_size: longer side of the stored previews, pixels.
        image_timeout: seconds one image may take before it counts as unreadable.
        max_megapixels: images larger than this are unreadable (decompression bombs).
        runtime, device: what computes embeddings, and where.
        top: neighbours of a query.
        verify: whether a query's neighbours are verified.
        matcher: keypoint matchers, tried in this order until one aligns the pair.
        second_look: the matcher that gets the pairs which those leave open, many at a time: auto
            is LoFTR where there is a GPU and its weights, none is none.
        out: the folder for the lists.
        against: a reference index, whose images stay and are looked for in the other; None for
            none.
        strictness: safe, balanced or loose.
        prefer: rules for choosing the keeper, most important first.
        protect: folders and address prefixes from which nothing is deleted.
        quarantine: where copies are moved; "" for a container of the account they are in.
        link: the kind of link a copy is replaced by.
        tag: name and value of the index tag that copies get.
        check: whether contents are read again before something is done, or only ETags compared.
        price_per_gb: what 2³⁰ stored bytes cost a month; None for the list price of cloud storage.
        json: print the result as JSON on standard output.
    """

    index: Path = Path("dedup-index")
    model: tuple[Choice, ...] = (Choice("efficientnet_lite0"),)
    workers: int = 1
    max_requests_per_second: float = 35.0
    account_url: str = ""
    connection_string: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: float | None = None
    watch: bool = False
    interval: float = 300.0
    relist_interval: float = 86_400.0
    event_queue: tuple[str, ...] = field(default=(), repr=False)
    change_feed: bool = False
    preview_size: int = 640
    image_timeout: float = 60.0
    max_megapixels: float = 200.0
    runtime: str = "auto"
    device: str = "auto"
    top: int = 10
    verify: bool = True
    matcher: tuple[Choice, ...] = (Choice("orb"),)
    second_look: Choice = Choice("auto")
    out: Path = Path("dedup-lists")
    against: Path | None = None
    strictness: str = "safe"
    prefer: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    quarantine: str = ""
    link: str = "hard"
    tag: tuple[str, str] = ("dedup", "delete")
    check: str = "content"
    price_per_gb: float | None = None
    json: bool = False


class _Invalid(Exception):
    """A value that does not fit; the message says what would."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Invalid("a text")
    return value


def _path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value:
        raise _Invalid("a path")
    return Path(value).expanduser()


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise _Invalid("true or false")


def _number(low: float, high: float, is_whole: bool) -> Callable[[object], Any]:
    kind = "a whole number" if is_whole else "a number"
    expected = f"{kind} from {low:g} to {high:g}"

    def parse(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise _Invalid(expected)
        try:
            number = int(value) if is_whole and not isinstance(value, float) else float(value)
        except ValueError:
            raise _Invalid(expected) from None
        if not low <= number <= high or (is_whole and number != int(number)):
            raise _Invalid(expected)
        return int(number) if is_whole else number

    return parse


def _one_of(allowed: Sequence[str]) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in allowed:
            raise _Invalid("one of " + ", ".join(allowed))
        return str(value)

    return parse


def _texts(value: object) -> tuple[str, ...]:
    """Several names: a list in dedup.toml, repeated flags, or commas in the environment."""
    items = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(i, str) and i for i in items):
        raise _Invalid("a name or a list of names")
    return tuple(dict.fromkeys(items))


def _moment(value: object) -> float:
    """A date or a time, of this machine's time zone unless it names another; seconds."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, clock_time())
        if isinstance(value, datetime):
            return value.timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    raise _Invalid("a date or a time, as 2024-05-31, 2024-05-31T18:00 or 2024-05-31T18:00Z")


def _tag(value: object) -> tuple[str, str]:
    """NAME=VALUE, as the blob service takes them."""
    letters = r"[A-Za-z0-9 +\-./:_]"
    if isinstance(value, str):
        found = re.fullmatch(rf"({letters}{{1,128}})=((?:{letters}|=){{0,256}})", value)
        if found:
            return found[1], found[2]
    raise _Invalid("NAME=VALUE, of letters, digits, spaces and + - . / : = _")


def _device(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", value):
        return value
    raise _Invalid("auto, cpu, cuda, or cuda:NUMBER")


def _choices(value: object) -> tuple[Choice, ...]:
    """NAME or NAME=PATH, several of them."""
    choices = []
    for text in _texts(value):
        name, separator, path = text.partition("=")
        if not name or (separator and not path):
            raise _Invalid("NAME, or NAME=PATH with the file of its weights")
        choices.append(Choice(name, Path(path).expanduser() if separator else None))
    if len({choice.name for choice in choices}) < len(choices):
        raise _Invalid("names that differ from each other")
    return tuple(choices)


def _models(value: object) -> tuple[Choice, ...]:
    models = _choices(value)
    if not models:
        raise _Invalid("at least one model (dedup models lists them)")
    return models


def _matchers(value: object) -> tuple[Choice, ...]:
    matchers = _choices(value)
    if not matchers or not {choice.name for choice in matchers} <= set(MATCHERS):
        raise _Invalid("one or more of " + ", ".join(MATCHERS))
    return matchers


def _second_look(value: object) -> Choice:
    chosen = _choices(value)
    if len(chosen) != 1 or chosen[0].name not in SECOND_LOOKS:
        raise _Invalid("one of " + ", ".join(SECOND_LOOKS) + ", or loftr=PATH")
    return chosen[0]


_PARSERS: dict[str, Callable[[object], Any]] = {
    "index": _path,
    "model": _models,
    "workers": _number(1, 1024, is_whole=True),
    "max_requests_per_second": _number(0.1, 100_000, is_whole=False),
    "account_url": _text,
    "include": _texts,
    "exclude": _texts,
    "since": _moment,
    "watch": _boolean,
    "interval": _number(1, 604_800, is_whole=False),
    "relist_interval": _number(1, 31_536_000, is_whole=False),
    "event_queue": _texts,
    "change_feed": _boolean,
    "preview_size": _number(160, 4096, is_whole=True),
    "image_timeout": _number(1, 3600, is_whole=False),
    "max_megapixels": _number(0.01, 10_000, is_whole=False),
    "runtime": _one_of(RUNTIMES),
    "device": _device,
    "top": _number(1, 10_000, is_whole=True),
    "verify": _boolean,
    "matcher": _matchers,
    "second_look": _second_look,
    "out": _path,
    "against": _path,
    "strictness": _one_of(STRICTNESSES),
    "prefer": _texts,
    "protect": _texts,
    "quarantine": _text,
    "link": _one_of(LINKS),
    "tag": _tag,
    "check": _one_of(CHECKS),
    "price_per_gb": _number(0, 1_000, is_whole=False),
    "json": _boolean,
}

SETTING_NAMES = tuple(one.name for one in fields(Settings) if one.name in _PARSERS)


def load_settings(
    flags: Mapping[str, object],
    environment: Mapping[str, str],
    working_directory: Path,
    config: Path | None = None,
) -> Settings:
    """Merge and check the settings of one run.

    Args:
        flags: what was given on the command line, by setting name; None means not given.
        environment: the process's environment.
        working_directory: where dedup.toml is looked for.
        config: another configuration file (`--config`), which then must exist.

    Raises:
        UsageError: an unknown key or a value that does not fit, with where it was found.
    """
    values: dict[str, Any] = {"workers": _default_workers()}
    path = config
    if path is None and environment.get(CONFIG_VARIABLE):
        path = Path(environment[CONFIG_VARIABLE])
    must_exist = path is not None
    path = path if path is not None else working_directory / CONFIG_FILE
    if must_exist or path.is_file():
        for key, value in _read_toml(path).items():
            values[key] = _parse(key, value, origin=f"{key} in {path}", file=path)
    for variable, text in sorted(environment.items()):
        if variable.startswith(ENVIRONMENT_PREFIX) and variable != CONFIG_VARIABLE:
            key = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            if text:
                values[key] = _parse(key, text, origin=f"the environment variable {variable}")
    for key, flag in flags.items():
        if flag is not None and flag != []:
            values[key] = _parse(key, flag, origin=_flag_name(key))
    values["connection_string"] = environment.get(CONNECTION_STRING_VARIABLE, "")
    return Settings(**values)


def _flag_name(key: str) -> str:
    return "--" + key.replace("_", "-")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"The configuration file {path} cannot be read ({error.strerror or error}).",
            "Check the path given with --config or DEDUP_CONFIG.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The configuration file {path} is no valid TOML: {error}.",
            'Write one setting a line, as in: workers = 4, or index = "dedup-index".',
        ) from error


def _parse(key: str, value: object, origin: str, file: Path | None = None) -> Any:
    parser = _PARSERS.get(key)
    if parser is None:
        close = difflib.get_close_matches(key, SETTING_NAMES, n=3)
        where = f"in {file}" if file else f"({origin})"
        remedy = (
            f"Did you mean {' or '.join(close)}?"
            if close
            else f"The settings are: {', '.join(SETTING_NAMES)}."
        )
        raise UsageError(f"There is no setting {key!r} {where}.", remedy)
    try:
        return parser(value)
    except _Invalid as invalid:
        raise UsageError(
            f"{origin} is {_shown(value)}, which is not possible.", f"It must be {invalid}."
        ) from None


def _shown(value: object) -> str:
    return repr(list(value) if isinstance(value, tuple) else value)
