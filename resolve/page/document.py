"""One HTML file that needs no other: styles and scripts in it, allowed by their hashes alone.

The policy names the hash of each script. Data from files is in elements that are not run, and
should something slip out of them, the browser would not run that either.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import IO, Any

# Letters that could end a script element or begin a comment in it.
_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def asset(name: str) -> str:
    """One of the files that pages are made of."""
    return (files("resolve.page") / "assets" / name).read_text(encoding="utf-8")


def write_document(
    file: IO[str],
    template: str,
    *,
    styles: Sequence[str],
    scripts: Sequence[str],
    parts: Mapping[str, Iterable[str]],
) -> None:
    """Write a template with its parts in place of their markers.

    Args:
        template, styles, scripts: names of assets.
        parts: marker to HTML, in the order in which they stand in the template.
    """
    style = "\n".join(map(asset, styles))
    script = "\n".join(map(asset, scripts))
    policy = (
        "default-src 'none'; img-src data:; "
        # 'strict-dynamic': what the page's own script loads, which are the files beside the page.
        f"script-src '{_hash(script)}' 'strict-dynamic'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    rest = asset(template)
    pieces: dict[str, Iterable[str]] = {
        "<!--POLICY-->": [policy],
        "/*STYLE*/": [style],
        **parts,
        "/*SCRIPT*/": [script],
    }
    for marker, texts in pieces.items():
        before, found, rest = rest.partition(marker)
        if not found:
            raise RuntimeError(f"{template} has no {marker} there")
        file.write(before)
        file.writelines(texts)
    file.write(rest)


def data_element(name: str, value: Any) -> Iterator[str]:
    """A value for the page's script, found by the id `name`; never run."""
    yield f'<script type="application/json" id="{name}">'
    yield script_json(value)
    yield "</script>\n"


def script_json(value: Any) -> str:
    """JSON in ASCII that can stand in any script."""
    text = json.dumps(value, separators=(",", ":"))
    for letter, escaped in _IN_SCRIPT.items():
        text = text.replace(letter, escaped)
    return text


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(sha256(content.encode()).digest()).decode()}"
