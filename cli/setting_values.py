"""The values that settings may have, wherever they were written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as clock_time
from pathlib import Path
from typing import Any

from storage.paths import home_expanded

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
RAW_PAIRS = ("keep", "jpeg", "raw")
LINKS = ("hard", "symbolic")
ENGINES = ("local", "ray")
CHECKS = ("content", "etag")
SECOND_LOOKS = ("auto", "none", "loftr")
MATCHERS = ("orb", "sift", "loftr", "keynet", "xfeat", "disk-lightglue")


@dataclass(frozen=True, slots=True)
class Choice:
    """A model or matcher, and where its weights are; None lets dedup look for them."""

    name: str
    weights: Path | None = None


class Invalid(Exception):
    """A value that does not fit; the message says what would."""


def parse_text(value: object) -> str:
    if not isinstance(value, str):
        raise Invalid("a text")
    return value


def parse_path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value:
        raise Invalid("a path")
    return home_expanded(value)


def parse_boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise Invalid("true or false")


def parse_number(low: float, high: float, is_whole: bool) -> Callable[[object], Any]:
    kind = "a whole number" if is_whole else "a number"
    expected = f"{kind} from {low:g} to {high:g}"

    def parse(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise Invalid(expected)
        try:
            number = int(value) if is_whole and not isinstance(value, float) else float(value)
        except ValueError:
            raise Invalid(expected) from None
        if not low <= number <= high or (is_whole and number != int(number)):
            raise Invalid(expected)
        return int(number) if is_whole else number

    return parse


def parse_one_of(allowed: Sequence[str]) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in allowed:
            raise Invalid("one of " + ", ".join(allowed))
        return str(value)

    return parse


def parse_texts(value: object) -> tuple[str, ...]:
    """Several names: a list in dedup.toml, repeated flags, or commas in the environment."""
    items = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(i, str) and i for i in items):
        raise Invalid("a name or a list of names")
    return tuple(dict.fromkeys(items))


def parse_moment(value: object) -> float:
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
    raise Invalid("a date or a time, as 2024-05-31, 2024-05-31T18:00 or 2024-05-31T18:00Z")


def parse_tag(value: object) -> tuple[str, str]:
    """NAME=VALUE, as the blob service takes them."""
    letters = r"[A-Za-z0-9 +\-./:_]"
    if isinstance(value, str):
        found = re.fullmatch(rf"({letters}{{1,128}})=((?:{letters}|=){{0,256}})", value)
        if found:
            return found[1], found[2]
    raise Invalid("NAME=VALUE, of letters, digits, spaces and + - . / : = _")


def parse_device(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", value):
        return value
    raise Invalid("auto, cpu, cuda, or cuda:NUMBER")


def parse_choices(value: object) -> tuple[Choice, ...]:
    """NAME or NAME=PATH, several of them."""
    choices = []
    for text in parse_texts(value):
        name, separator, path = text.partition("=")
        if not name or (separator and not path):
            raise Invalid("NAME, or NAME=PATH with the file of its weights")
        choices.append(Choice(name, home_expanded(path) if separator else None))
    if len({choice.name for choice in choices}) < len(choices):
        raise Invalid("names that differ from each other")
    return tuple(choices)


def parse_models(value: object) -> tuple[Choice, ...]:
    models = parse_choices(value)
    if not models:
        raise Invalid("at least one model (dedup models lists them)")
    return models


def parse_matchers(value: object) -> tuple[Choice, ...]:
    matchers = parse_choices(value)
    if not matchers or not {choice.name for choice in matchers} <= set(MATCHERS):
        raise Invalid("one or more of " + ", ".join(MATCHERS))
    return matchers


def parse_second_look(value: object) -> Choice:
    chosen = parse_choices(value)
    if len(chosen) != 1 or chosen[0].name not in SECOND_LOOKS:
        raise Invalid("one of " + ", ".join(SECOND_LOOKS) + ", or loftr=PATH")
    return chosen[0]
