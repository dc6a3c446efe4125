"""Runs `dedup` and presses Ctrl-C when a function is entered: `python -m tests.cli.interrupted
NAME ARGUMENTS…`. The signal goes to the whole process group, as a terminal sends it."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any


def main() -> None:
    name, sys.argv[1:] = sys.argv[1], sys.argv[2:]

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_qualname == name:
            sys.setprofile(None)
            os.killpg(0, signal.SIGINT)

    from cli.main import main as dedup

    sys.setprofile(profile)
    dedup()


# Worker processes import this module again.
if __name__ == "__main__":
    main()
