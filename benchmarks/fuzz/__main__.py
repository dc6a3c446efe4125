"""Fuzzing: decode to record, values of the catalog, lists, configuration.

    python -m benchmarks.fuzz [--seconds 60] [TARGET …]     decode, catalog, lists, config
    python -m benchmarks.fuzz seeds                         write the corpus anew

Prints executions and failures as JSON; inputs that made a target fail are kept in --found, and the
exit code is 1 when there are any. Needs the package atheris (Linux on x86-64).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from benchmarks.fuzz.seeds import write_seeds
from benchmarks.fuzz.supervise import CORPUS, fuzz
from benchmarks.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz")
    parser.add_argument("target", nargs="*", help=f"seeds, or of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("--found", type=Path, default=Path("fuzz-failures"))
    arguments = parser.parse_args()
    if arguments.target == ["seeds"]:
        print(f"{write_seeds(CORPUS)} seeds in {CORPUS}")
        return 0
    if unknown := set(arguments.target) - set(TARGETS):
        parser.error(f"no target {sorted(unknown)[0]}: there are {', '.join(TARGETS)}")
    if find_spec("atheris") is None:
        print("atheris is not installed: there is none for this system", file=sys.stderr)
        return 2
    outcomes = fuzz(arguments.target or list(TARGETS), arguments.seconds, arguments.found)
    print(json.dumps({name: asdict(outcome) for name, outcome in outcomes.items()}, indent=2))
    return int(any(outcome.failures for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
