"""One target in a process of its own, until its time is over or it fails.

python -m benchmarks.fuzz.child TARGET [options of libFuzzer] FOLDER…
"""

from __future__ import annotations

import sys

import atheris

# What is imported in this block is rewritten to tell libFuzzer which branches were taken. It takes
# seconds, so of each target only what reads its input.
_DECODERS = ["indexer", "PIL", "pillow_heif"]
_READERS = ["storage", "resolve", "cli", "verify", "indexer.selection", "tomllib", "json"]
with atheris.instrument_imports(include=_DECODERS if sys.argv[1] == "decode" else _READERS):
    from benchmarks.fuzz.targets import TARGETS


def main() -> None:
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
