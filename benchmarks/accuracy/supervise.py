"""Runs one command and notes the CPU time of all processes that come of it.

    python supervise.py USAGE_FILE COMMAND...

Worker processes are children of a fork server, which nobody waits for: the kernel would not count
them. This process adopts whatever the command leaves behind and waits for it, too. It is a process
of its own so that it adopts nothing else.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

# From <linux/prctl.h>.
_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_SECONDS = 60.0


def main() -> int:
    """The command line; returns the exit code of the command."""
    usage_file, command = Path(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    _wait_for_all()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    usage_file.write_text(
        json.dumps(
            {
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "peak_bytes": usage.ru_maxrss * 1024,
            }
        )
    )
    return code if code >= 0 else 128 - code


def _wait_for_all() -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            time.sleep(0.05)
    sys.exit(f"Processes of the command still run after {_PATIENCE_SECONDS:.0f} s.")


if __name__ == "__main__":
    sys.exit(main())
