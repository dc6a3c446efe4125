"""Every setting of every command, from four places: flags, environment, `dedup.toml`, defaults.

One name everywhere: the flag `--max-requests-per-second`, the variable
`DEDUP_MAX_REQUESTS_PER_SECOND` and the key `max_requests_per_second` of dedup.toml are the same
setting. What stands earlier in this list wins: flags, environment, dedup.toml, default.
Secrets are no settings: they come from the variables Azure's own tools read.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cli.setting_values import (
    CHECKS,
    ENGINES,
    LINKS,
    RAW_PAIRS,
    RUNTIMES,
    STRICTNESSES,
    Choice,
    Invalid,
    parse_boolean,
    parse_device,
    parse_matchers,
    parse_models,
    parse_moment,
    parse_number,
    parse_one_of,
    parse_path,
    parse_second_look,
    parse_tag,
    parse_text,
    parse_texts,
)
from storage.errors import UsageError
from storage.worker_processes import usable_cores

CONFIG_FILE = "dedup.toml"
ENVIRONMENT_PREFIX = "DEDUP_"
CONFIG_VARIABLE = "DEDUP_CONFIG"
CONNECTION_STRING_VARIABLE = "AZURE_STORAGE_CONNECTION_STRING"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a command runs with. Made by `load_settings`, which has checked every value.

    Attributes:
        index: the index directory.
        model: the embedding models, in the order given.
        workers: processes that decode images or verify pairs.
        readers: reads under way at once.
        max_requests_per_second: reads of a cloud source, a second.
        account_url: https://ACCOUNT.blob.core.windows.net, with the credentials of this machine.
        connection_string: from AZURE_STORAGE_CONNECTION_STRING; never printed.
        trust_md5: whether a blob with the size and MD5 of one that was read is not read itself.
        engine: what does the work: local is this machine, ray a Ray cluster.
        address: of the cluster's head node, HOST:PORT or auto; "" starts Ray on this machine.
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
        memory: MiB that all processes of a run together hold resident, mapped pages of the index
            included; of a query or a service, its own process.
        image_memory: MiB that decoding one image may take before it counts as unreadable.
        max_megapixels: images larger than this are unreadable (decompression bombs).
        max_megabytes: files larger than this are unreadable, MiB.
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
        raw_pairs: which of a RAW file and the JPEG of the same shot stays: keep, jpeg or raw.
        quarantine: where copies are moved; "" for a container of the account they are in.
        link: the kind of link a copy is replaced by.
        tag: name and value of the index tag that copies get.
        check: whether contents are read again before something is done, or only ETags compared.
        price_per_gb: what 2³⁰ stored bytes cost a month; None for the list price of cloud storage.
        port: where the review or the service listens; 0 for any free one.
        host: where the service listens.
        api_keys: a file of the keys that the service knows; None has it make one up.
        source: what clients of the service may name images of.
        uploads: the folder for images sent to the service to be added; None keeps none.
        rate: requests per second of one key of the service.
        max_upload_megabytes: MiB of an image sent to the service.
        refresh: least seconds between two looks of the service at the index.
        json: print the result as JSON on standard output.
        quiet: show no progress, and no summary of what is in files anyway.
    """

    index: Path = Path("dedup-index")
    model: tuple[Choice, ...] = (Choice("efficientnet_lite0"),)
    workers: int = 1
    readers: int = 8
    max_requests_per_second: float = 35.0
    account_url: str = ""
    connection_string: str = ""
    trust_md5: bool = False
    engine: str = "local"
    address: str = ""
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
    memory: int = 4096
    image_memory: float = 4096.0
    max_megapixels: float = 200.0
    max_megabytes: float = 512.0
    runtime: str = "auto"
    device: str = "auto"
    top: int = 10
    verify: bool = True
    matcher: tuple[Choice, ...] = (Choice("orb"),)
    second_look: Choice = field(default=Choice("auto"))
    out: Path = Path("dedup-lists")
    against: Path | None = None
    strictness: str = "safe"
    prefer: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    raw_pairs: str = "keep"
    quarantine: str = ""
    link: str = "hard"
    tag: tuple[str, str] = ("dedup", "delete")
    check: str = "content"
    price_per_gb: float | None = None
    port: int = 0
    host: str = "127.0.0.1"
    api_keys: Path | None = None
    source: tuple[str, ...] = ()
    uploads: Path | None = None
    rate: float = 50.0
    max_upload_megabytes: float = 32.0
    refresh: float = 5.0
    json: bool = False
    quiet: bool = False

    @property
    def memory_bytes(self) -> int:
        """`memory` in bytes."""
        return self.memory * 2**20

    @property
    def memory_of_each(self) -> int:
        """Bytes of `memory` for each process: the workers, and the one that started them."""
        return self.memory_bytes // (self.workers + 1)


_PARSERS: dict[str, Callable[[object], Any]] = {
    "index": parse_path,
    "model": parse_models,
    "workers": parse_number(1, 1024, is_whole=True),
    "readers": parse_number(1, 256, is_whole=True),
    "max_requests_per_second": parse_number(0.1, 100_000, is_whole=False),
    "account_url": parse_text,
    "trust_md5": parse_boolean,
    "engine": parse_one_of(ENGINES),
    "address": parse_text,
    "include": parse_texts,
    "exclude": parse_texts,
    "since": parse_moment,
    "watch": parse_boolean,
    "interval": parse_number(1, 604_800, is_whole=False),
    "relist_interval": parse_number(1, 31_536_000, is_whole=False),
    "event_queue": parse_texts,
    "change_feed": parse_boolean,
    "preview_size": parse_number(160, 4096, is_whole=True),
    "image_timeout": parse_number(1, 3600, is_whole=False),
    "memory": parse_number(1024, 16_777_216, is_whole=True),
    "image_memory": parse_number(256, 1_048_576, is_whole=False),
    "max_megapixels": parse_number(0.01, 10_000, is_whole=False),
    "max_megabytes": parse_number(0.01, 65_536, is_whole=False),
    "runtime": parse_one_of(RUNTIMES),
    "device": parse_device,
    "top": parse_number(1, 10_000, is_whole=True),
    "verify": parse_boolean,
    "matcher": parse_matchers,
    "second_look": parse_second_look,
    "out": parse_path,
    "against": parse_path,
    "strictness": parse_one_of(STRICTNESSES),
    "prefer": parse_texts,
    "protect": parse_texts,
    "raw_pairs": parse_one_of(RAW_PAIRS),
    "quarantine": parse_text,
    "link": parse_one_of(LINKS),
    "tag": parse_tag,
    "check": parse_one_of(CHECKS),
    "price_per_gb": parse_number(0, 1_000, is_whole=False),
    "port": parse_number(0, 65_535, is_whole=True),
    "host": parse_text,
    "api_keys": parse_path,
    "source": parse_texts,
    "uploads": parse_path,
    "rate": parse_number(0.01, 100_000, is_whole=False),
    "max_upload_megabytes": parse_number(0.01, 4096, is_whole=False),
    "refresh": parse_number(0.1, 3600, is_whole=False),
    "json": parse_boolean,
    "quiet": parse_boolean,
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
    values: dict[str, Any] = {"workers": usable_cores()}
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
    except Invalid as invalid:
        raise UsageError(
            f"{origin} is {_shown(value)}, which is not possible.", f"It must be {invalid}."
        ) from None


def _shown(value: object) -> str:
    return repr(list(value) if isinstance(value, tuple) else value)
