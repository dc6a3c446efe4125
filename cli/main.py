"""The `dedup` command. Each command is a module of its own, imported only when it runs."""

from __future__ import annotations

import platform
import signal
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import Annotated

import typer

from cli import (
    apply,
    doctor,
    index,
    info,
    models,
    query,
    repair,
    resolve,
    review,
    schema,
    serve,
    stats,
    undo,
)
from cli.errors import DedupGroup
from storage.parameters import SCHEMA_VERSION

app = typer.Typer(
    name="dedup",
    cls=DedupGroup,
    help="Find the duplicates in a large collection of images and say which to keep.",
    epilog=(
        "Example:\n\n\b\n  dedup index ~/Pictures\n  dedup resolve\n\n"
        "Exit codes: 0 done, 1 a bug, 2 usage, 3 source, 4 credentials, 5 index, 6 disk, "
        "7 model, 8 index in use, 9 cluster, 130 interrupted."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain text: brackets in the help are brackets, and it looks the same in a log.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


# What decides about results and about most questions that people bring.
_SHOWN_VERSIONS = (
    "numpy", "pillow", "pillow-heif", "opencv-python-headless", "faiss-cpu", "faiss-gpu-cu12",
    "torch", "timm", "openvino", "kornia", "lmdb", "azure-storage-blob",
)  # fmt: skip


def _print_version(is_wanted: bool) -> None:
    if not is_wanted:
        return
    try:
        print(f"dedup {version('dedup')}")
    except PackageNotFoundError:
        print("dedup (not installed: running from the source tree)")
    print(f"index schema {SCHEMA_VERSION}")
    print(f"python {platform.python_version()}, {platform.system()} {platform.machine()}")
    for name in _SHOWN_VERSIONS:
        with suppress(PackageNotFoundError):
            print(f"{name} {version(name)}")
    raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the versions that matter.",
        ),
    ] = False,
) -> None:
    """Find the duplicates in a large collection of images and say which to keep."""


index.register(app)
query.register(app)
resolve.register(app)
review.register(app)
serve.register(app)
apply.register(app)
undo.register(app)
info.register(app)
repair.register(app)
stats.register(app)
doctor.register(app)
models.register(app)
schema.register(app)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line and exit with its code."""
    # As containers are stopped. The first process of one would not even end by it.
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(app(prog_name="dedup"))


if __name__ == "__main__":
    main()
