"""What is fuzzed: each target takes bytes and raises nothing but what it says it raises.

A target that returns has kept its word; whatever comes out of one is a bug.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from cli.config import load_settings
from indexer.decode import DecodeLimits
from indexer.errors import UndecodableImage
from indexer.extract import ExtractOptions, extract
from indexer.selection import compile_pattern
from resolve.apply.journal import Journal, State
from resolve.apply.rows import check_list
from resolve.decisions import read_decisions
from resolve.preferences import parse_preferences
from resolve.review.decisions_file import DecisionsFile
from storage import codec, listings, vector_blocks
from storage.azure_address import parse_path, parse_url
from storage.errors import DedupError
from verify.codec import decode_verdict

Target = Callable[[bytes], None]

_OPTIONS = ExtractOptions(
    DecodeLimits(max_pixels=1_000_000, max_bytes=1 << 20), network_inputs=(32,)
)


def decode_to_record(content: bytes) -> None:
    """A file: it has a record that can be stored and read back, or a reason."""
    try:
        image = extract(content, sha256(content).digest(), _OPTIONS)
    except UndecodableImage as error:
        assert error.reason and "\n" not in error.reason, error.reason
        return
    stored = codec.encode_record(image.record)
    hashes = codec.encode_hashes(image.record)
    back = codec.decode_record(stored, hashes)
    assert (codec.encode_record(back), codec.encode_hashes(back)) == (stored, hashes)
    assert image.preview and image.network_inputs[32].shape == (32, 32, 3)


def catalog_value(content: bytes) -> None:
    """A value of the catalog: read, or refused as damaged. The first byte says as which kind."""
    if content:
        kinds = tuple(_CATALOG_KINDS.values())
        with suppress(codec.LayoutError):
            kinds[content[0] % len(kinds)](content[1:])


def list_or_journal(content: bytes) -> None:
    """A file that people edit, or that was cut off. The first byte says as which kind."""
    _read_as_file(content, _LIST_KINDS)


def configuration(content: bytes) -> None:
    """dedup.toml, patterns, rules and addresses. The first byte says as which kind."""
    _read_as_file(content, _SETTING_KINDS)


TARGETS: Mapping[str, Target] = {
    "decode": decode_to_record,
    "catalog": catalog_value,
    "lists": list_or_journal,
    "config": configuration,
}


def kind_byte(target: str, kind: str) -> bytes:
    """The first byte of an input that is read as this kind; b"" where the target has no kinds."""
    kinds = {"catalog": _CATALOG_KINDS, "lists": _LIST_KINDS, "config": _SETTING_KINDS}
    return bytes([list(kinds[target]).index(kind)]) if target in kinds else b""


def _record(value: bytes) -> None:
    codec.decode_record(value, bytes(codec.HASH_BYTES))


def _entry(value: bytes) -> None:
    codec.decode_entry(b"/photos/summer/001.jpg", value)


def _page(value: bytes) -> None:
    listings.decode_page("/photos", bytes(24), value)


def _block(value: bytes) -> None:
    vector_blocks.decode_block(b"\0\1" + codec.encode_number(3), value)


def _verdict(value: bytes) -> None:
    with suppress(ValueError):
        decode_verdict(value)


_CATALOG_KINDS: Mapping[str, Callable[[bytes], object]] = {
    "record": _record,
    "entry": _entry,
    "run": codec.decode_run,
    "parameters": codec.decode_parameters,
    "page": _page,
    "head": listings.decode_head,
    "block": _block,
    "hashes": lambda value: codec.decode_hashes([value]),
    "verdict": _verdict,
}


def _journal(path: Path) -> None:
    with Journal.open(path) as journal:
        for uri in journal.uris(*State):
            with suppress(DedupError):
                journal.act(uri)


def _decisions_for_review(path: Path) -> None:
    with DecisionsFile.open(path) as decisions:
        decisions.undo()


_LIST_KINDS: Mapping[str, Callable[[Path], object]] = {
    "decisions": read_decisions,
    "review": _decisions_for_review,
    "delete.csv": lambda path: list(check_list(path)),
    "journal": _journal,
}


def _toml(path: Path) -> None:
    load_settings({}, {}, path.parent, path)


def _environment(path: Path) -> None:
    """Lines of NAME=VALUE."""
    lines = path.read_text("utf-8", "replace").replace("\0", "").splitlines()
    pairs = [line.partition("=") for line in lines]
    load_settings({}, {f"DEDUP_{name.upper()}": value for name, _, value in pairs}, path.parent)


def _pattern(path: Path) -> None:
    # Matching is left out: that a pattern of many stars is slow is its writer's own doing.
    compile_pattern(path.read_text("utf-8", "surrogateescape"))


def _rules(path: Path) -> None:
    parse_preferences(path.read_text("utf-8", "surrogateescape").splitlines())


def _address(path: Path) -> None:
    text = path.read_text("utf-8", "surrogateescape")
    with suppress(DedupError):
        parse_url("https://" + text)
    parse_path(text, "az://" + text)


_SETTING_KINDS: Mapping[str, Callable[[Path], object]] = {
    "toml": _toml,
    "environment": _environment,
    "pattern": _pattern,
    "rules": _rules,
    "address": _address,
}


def _read_as_file(content: bytes, kinds: Mapping[str, Callable[[Path], object]]) -> None:
    if not content:
        return
    read = tuple(kinds.values())[content[0] % len(kinds)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input"
        path.write_bytes(content[1:])
        with suppress(DedupError):
            read(path)
