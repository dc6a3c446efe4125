"""JSON Schemas of what commands print with --json, made from the dataclasses that they print."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

Schema = dict[str, Any]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    Path: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    Any: {},
}


def schema_of(printed: Any, title: str = "") -> Schema:
    """The schema of values of a type: dataclasses and TypedDicts go to `$defs`, by their names."""
    known: dict[str, Schema] = {}
    found = _schema(printed, known)
    return {"$schema": _DIALECT, "title": title, **found, "$defs": dict(sorted(known.items()))}


def field_words(described: type) -> dict[str, str]:
    """Field to what the docstring's "Attributes:" say of it; classes it inherits from included."""
    words: dict[str, str] = {}
    for one in reversed(described.__mro__):
        _, _, text = inspect.cleandoc(one.__doc__ or "").partition("Attributes:\n")
        for entry in re.split(r"\n(?=\w)", inspect.cleandoc(text)):
            flat = " ".join(entry.split())
            # `a, b: …. c: …`: several with one meaning, and several on one line.
            for names, meaning in _NAMED.findall(flat):
                words |= dict.fromkeys(re.split(r", ", names), meaning.rstrip(".; "))
    return words


_NAMES = r"[a-z]\w*(?:, [a-z]\w*)*"
_NAMED = re.compile(rf"(?:^|(?<=\. ))({_NAMES}): (.*?)(?=\. {_NAMES}: |$)")


def _schema(printed: Any, known: dict[str, Schema]) -> Schema:
    if printed in _SCALARS:
        return dict(_SCALARS[printed])
    origin, arguments = typing.get_origin(printed), typing.get_args(printed)
    if origin in (typing.Union, types.UnionType):
        if {type(None), bool, str}.issubset(arguments):
            # `storage.runs.Json`: anything.
            return {}
        return {"anyOf": [_schema(one, known) for one in arguments]}
    if origin is np.ndarray:
        return {"type": "array"}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], known)}
    if origin is not None and issubclass(origin, Sequence):
        return {"type": "array", "items": _schema(arguments[0], known)}
    if issubclass(printed, Enum):
        return {"enum": [one.value for one in printed]}
    if printed.__name__ not in known:
        known[printed.__name__] = {}
        known[printed.__name__] = _object(printed, known)
    return {"$ref": f"#/$defs/{printed.__name__}"}


def _object(printed: type, known: dict[str, Schema]) -> Schema:
    hints = typing.get_type_hints(printed)
    words = field_words(printed)
    names = list(hints)
    if dataclasses.is_dataclass(printed):
        names = [field.name for field in dataclasses.fields(printed)]
    properties = {}
    for name in names:
        properties[name] = _schema(hints[name], known)
        if name in words:
            properties[name]["description"] = words[name]
    summary = inspect.cleandoc(printed.__doc__ or "").partition("\n")[0]
    return {
        "type": "object",
        "description": summary,
        "properties": properties,
        "required": names,
    }
