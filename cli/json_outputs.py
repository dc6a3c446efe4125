"""Which command prints what with --json, and the page of the documentation that says so.

`python -m cli.json_outputs` writes docs/json.md anew; a test says when that is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.answering import QueryAnswer
from cli.checkup import Checkup
from cli.json_schema import Schema, schema_of
from cli.results import (
    Applied,
    Damaged,
    Fetched,
    Information,
    Repair,
    ReviewAddress,
    ServiceAddress,
    Unanswered,
    Undone,
    WatchLook,
)
from indexer.embedders.base import ModelInfo
from indexer.run_report import IndexReport
from resolve.collection import Collection
from resolve.summary import Summary
from verify.matchers.registry import MatcherInfo

PAGE = Path(__file__).parents[1] / "docs" / "json.md"


@dataclass(frozen=True, slots=True)
class Output:
    """What a command prints.

    Attributes:
        name: for `dedup schema`.
        command: that prints it.
        printed: its type.
        words: what it is.
    """

    name: str
    command: str
    printed: Any
    words: str

    def schema(self) -> Schema:
        """Its JSON Schema."""
        return schema_of(self.printed, self.command)


OUTPUTS = {
    output.name: output
    for output in (
        Output("index", "dedup index --json", IndexReport, "what the pass did"),
        Output("watch", "dedup index --watch --json", WatchLook, "an object a line, for each look"),
        Output("resolve", "dedup resolve --json", Summary, "also written as summary.json"),
        Output(
            "query",
            "dedup query --json",
            list[QueryAnswer | Unanswered],
            "an answer for each image",
        ),
        Output("apply", "dedup apply --json", Applied, "what was done, or would be"),
        Output("undo", "dedup undo --json", Undone, "what was brought back"),
        Output("info", "dedup info --json", Information | Damaged, "what the index holds"),
        Output("repair", "dedup repair --json", Repair, "what was repaired"),
        Output("stats", "dedup stats --json", Collection, "counts, and the map of the embeddings"),
        Output("doctor", "dedup doctor --json", Checkup, "whether this machine is ready"),
        Output("models", "dedup models --json", list[ModelInfo | MatcherInfo], "all of them"),
        Output("fetch", "dedup models fetch --json", Fetched, "where the weights are"),
        Output(
            "review", "dedup review --json", ReviewAddress, "printed when the page can be opened"
        ),
        Output("serve", "dedup serve --json", ServiceAddress, "printed when it can be asked"),
    )
}

_HEAD = """\
# JSON

With `--json` a command prints one JSON document on standard output, and nothing else there;
`dedup index --watch` prints one a line. Progress goes to standard error, and so does the line that
says what went wrong; the [exit code](cli.md#exit-codes) says of which kind it was.

`dedup schema NAME` prints the JSON Schema of a document, for a validator or a generator of types.
The tests hold what the commands print against it. Fields may be added; none is renamed or changes
its meaning without a line in the changelog. Bytes of a file name that are not UTF-8 appear as lone
surrogates (`"\\udce9"`), as Python writes them.

| command | `dedup schema` | prints |
|---|---|---|
"""


def page() -> str:
    """docs/json.md."""
    lines = [_HEAD.rstrip("\n")]
    lines += [
        f"| `{output.command}` | `{output.name}` | {output.words} |" for output in OUTPUTS.values()
    ]
    explained: dict[str, Schema] = {}
    for output in OUTPUTS.values():
        schema = output.schema()
        lines += ["", f"## {output.name}", "", f"{_shape(schema)}, {output.words}."]
        for name in _reached(schema, schema["$defs"]):
            if name in explained:
                continue
            lines += ["", f"### {name}", "", *_table(schema["$defs"][name], explained)]
            explained[name] = schema["$defs"][name]["properties"]
    return "\n".join(lines) + "\n"


def _table(described: Schema, explained: Mapping[str, Schema]) -> list[str]:
    """Rows for the fields of an object; those of another one that it has too are not repeated."""
    fields = described["properties"]
    other = next((name for name in explained if explained[name].items() <= fields.items()), None)
    intro = described["description"]
    if other is not None:
        intro += f" It has the fields of [{other}](#{other.lower()}) too."
        fields = {name: field for name, field in fields.items() if name not in explained[other]}
    rows = [intro, "", "| field | type | |", "|---|---|---|"]
    for name, field in fields.items():
        words = field.get("description", "").replace("|", "\\|").replace("None", "null")
        rows.append(f"| `{name}` | {_shape(field)} | {words} |")
    return rows


def _shape(schema: Schema) -> str:
    """A type in words: `array of Match`."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_shape(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_shape(schema['items'])}" if "items" in schema else "array"
    if schema.get("type") == "object":
        return f"object of {_shape(schema['additionalProperties'])}"
    return str(schema.get("type", "anything"))


def _reached(schema: Any, known: Schema) -> list[str]:
    """Names of what a schema refers to, in the order in which a reader meets them."""
    found: dict[str, None] = {}

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found[name] = None
                walk(known[name])
            for key, value in part.items():
                if key != "$defs":
                    walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(schema)
    return list(found)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
