"""What a test may put in place of a stage that runs on the cluster: stages that die or forget.

Processes of the cluster import these by name.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from indexer.cluster_tasks import Contents, DescribeAnswer, Inputs, Work
from indexer.cluster_tasks import describe as real_describe


def once(marker: Path) -> bool:
    """True the first time, over all processes."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def dying_of(
    deadly: bytes,
    work: Work,
    contents: Contents,
    wanted: Sequence[tuple[int, bytes]],
    *,
    embeds: bool,
) -> tuple[DescribeAnswer, Inputs]:
    """Kills its process when it is to describe this content."""
    if any(digest == deadly for _, digest in wanted):
        os.kill(os.getpid(), signal.SIGKILL)
    return real_describe(work, contents, wanted, embeds=embeds)


def dying_once(
    marker: Path,
    work: Work,
    contents: Contents,
    wanted: Sequence[tuple[int, bytes]],
    *,
    embeds: bool,
) -> tuple[DescribeAnswer, Inputs]:
    if once(marker):
        os.kill(os.getpid(), signal.SIGKILL)
    return real_describe(work, contents, wanted, embeds=embeds)


def forgetting_once(
    marker: Path,
    work: Work,
    contents: Contents,
    wanted: Sequence[tuple[int, bytes]],
    *,
    embeds: bool,
) -> tuple[DescribeAnswer, Inputs]:
    """The contents are others, as when they were lost and read again after a change."""
    if once(marker):
        contents = {place: (bytes(32), content) for place, (_, content) in contents.items()}
    return real_describe(work, contents, wanted, embeds=embeds)
