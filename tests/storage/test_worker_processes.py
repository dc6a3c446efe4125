"""Processes that share a machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import os, threading
from storage.worker_processes import schedule_as_batch
schedule_as_batch()
found = [os.sched_getscheduler(0)]
thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
thread.start(); thread.join()
print(*found)
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="only Linux has it")
@pytest.mark.parametrize("before", ["SCHED_OTHER", "SCHED_IDLE"])
def test_a_pass_is_scheduled_as_batch_unless_somebody_chose_otherwise(before: str) -> None:
    policy = getattr(os, before)

    def choose() -> None:
        os.sched_setscheduler(0, policy, os.sched_param(0))

    run = subprocess.run(
        [sys.executable, "-c", CODE], preexec_fn=choose, capture_output=True, text=True, check=True
    )
    expected = os.SCHED_BATCH if before == "SCHED_OTHER" else policy
    assert run.stdout.split() == [str(expected)] * 2
