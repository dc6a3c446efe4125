"""The options that several commands share, and how a command's flags become its settings.

Every option defaults to None, "not given", so that the environment and dedup.toml can speak.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from cli.config import Settings, load_settings

IndexOption = Annotated[
    Path | None,
    typer.Option("--index", metavar="DIR", help="The index directory. Default: ./dedup-index"),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings to use. Default: ./dedup.toml, if any"),
]
JsonOption = Annotated[
    bool | None, typer.Option("--json", help="Print the result as JSON on standard output.")
]
QuietOption = Annotated[
    bool | None,
    typer.Option("--quiet", "-q", help="Show no progress and no summary, only what goes wrong."),
]
SilentOption = Annotated[
    bool | None, typer.Option("--quiet", "-q", help="Show no progress, only the result.")
]
AccountUrlOption = Annotated[
    str | None,
    typer.Option(
        "--account-url",
        metavar="URL",
        help="https://ACCOUNT.blob.core.windows.net: sign in with this machine's Azure identity.",
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--max-requests-per-second", metavar="R", help="Reads of a cloud source. Default: 35"
    ),
]
MatcherOption = Annotated[
    list[str] | None,
    typer.Option(
        "--matcher",
        metavar="NAME[=PATH]",
        help="Keypoint matcher, and its weights; repeat to try several in order: orb, sift, "
        "loftr, keynet, xfeat, disk-lightglue. Default: orb",
    ),
]
RuntimeOption = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        metavar="WHAT",
        help="auto, openvino, torch, or one of their precisions. Default: auto",
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", metavar="WHERE", help="auto, cpu, cuda or cuda:1. Default: auto"),
]
MemoryOption = Annotated[
    int | None,
    typer.Option(
        "--memory", metavar="MIB", help="What all processes together hold resident. Default: 4096"
    ),
]
AnswerMemoryOption = Annotated[
    int | None,
    typer.Option(
        "--memory",
        metavar="MIB",
        help="Above this the process gives up mapped pages of the index. Default: 4096",
    ),
]
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="WHAT", help="local (this machine) or ray (a cluster). Default: local"
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="The head node of the Ray cluster, or auto; without it Ray is started here.",
    ),
]
StrictnessOption = Annotated[
    str | None,
    typer.Option(
        "--strictness",
        metavar="LEVEL",
        help="How sure a verdict must be: safe, balanced or loose. Default: safe",
    ),
]


def option_text(option: str, value: Path, setting: str) -> str:
    """An option as it is to be typed, after a space; nothing when the value is the default."""
    is_default = value == getattr(Settings(), setting)
    return "" if is_default else f" {option} {shlex.quote(str(value))}"


def settings_from(config: Path | None, **flags: object) -> Settings:
    """The settings of this run.

    Raises:
        UsageError: something does not fit, with where it was found.
    """
    return load_settings(flags, os.environ, Path.cwd(), config)
