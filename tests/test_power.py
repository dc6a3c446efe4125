"""What was said to be stored is there when the power is back, whatever else is not.

Each program here stores one thing and ends; then everything that it did not sync is taken away.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from random import Random

import pytest

from benchmarks.hostile import power
from benchmarks.hostile.lossy_disk import Loss, LossyDisk
from benchmarks.hostile.system_calls import Operation, can_trace, read_operations, traced
from resolve.apply.journal import Journal
from resolve.decisions import read_decisions
from storage.catalog import Catalog

# What is lost is drawn by lot: so often at each moment.
_CHANCES = 10
ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(bool(can_trace()), reason=f"no power is cut: {can_trace()}")


def followed(program: str, folder: Path) -> tuple[LossyDisk, list[Operation]]:
    """What a program did with a folder, its working directory, and the folder as it was before."""
    folder = folder.resolve()
    disk, log = LossyDisk(folder), folder.with_name("log")
    command = [sys.executable, "-c", textwrap.dedent(program)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(traced(command, log), cwd=folder, env=environment, check=True)
    return disk, read_operations(log, folder, started_in=folder)


def power_goes_after(program: str, folder: Path) -> None:
    """Run it to its end, and leave of the folder only what was synced."""
    disk, operations = followed(program, folder)
    assert operations
    for operation in operations:
        disk.carry_out(operation)
    disk.put_back(Loss.ALL, Random(1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path


def test_what_is_only_written_is_lost_and_what_is_synced_without_its_name_too(folder: Path):
    (folder / "before").write_bytes(b"old")
    program = """
        import os
        from pathlib import Path
        from storage.durable import sync_path
        Path("before").write_bytes(b"new")
        for name in ("written", "synced", "named"):
            Path(name).write_bytes(b"x")
        sync_path(Path("synced"))
        sync_path(Path("named"))
        Path("named").rename("final")
    """
    power_goes_after(program, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"before": b"old"}
    power_goes_after(program + "    sync_path(Path('.'))\n", folder)
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert (found["final"], found["synced"], found["written"]) == (b"x", b"x", b"")
    assert found["before"] == b"old"


def test_a_new_catalog_keeps_its_first_commit(folder: Path):
    power_goes_after(
        """
        from pathlib import Path
        from storage.catalog import Catalog
        from storage.index_directory import IndexDirectory
        directory = IndexDirectory.create(Path("a/b/index"))
        with directory.write_lock(), Catalog.open_writer(directory.catalog_path) as catalog:
            catalog.start_run(["/photos"], 1.0)
        """,
        folder,
    )
    with Catalog.open_reader(folder / "a/b/index/catalog.lmdb") as catalog:
        assert [run.sources for run in catalog.runs()] == [("/photos",)]


def test_a_journal_keeps_what_is_about_to_be_done(folder: Path):
    power_goes_after(
        """
        from pathlib import Path
        from resolve.apply.journal import Header, Journal, State
        from resolve.apply.steps import Act
        from storage.actions import Action
        header = Header("run", "delete", "ab" * 32, "/l/delete.csv", "", 1.5)
        with Journal.create_or_open(Path("j.jsonl"), header) as journal:
            journal.begin([Act(Action.DELETE, "/a.jpg", "0x1", 5, "cd" * 32, "/k.jpg", "0x2")])
        """,
        folder,
    )
    with Journal.open(folder / "j.jsonl") as journal:
        assert journal.act("/a.jpg").keep == "/k.jpg"


def test_a_decision_that_was_saved_stays_and_one_that_was_taken_back_stays_away(folder: Path):
    program = """
        from pathlib import Path
        from resolve.review.decisions_file import DecisionsFile, Kept
        with DecisionsFile.open(Path("decisions.jsonl")) as file:
            file.add([Kept("11" * 32)], "g")
    """
    power_goes_after(program, folder)
    assert read_decisions(folder / "decisions.jsonl").keep == {bytes.fromhex("11" * 32)}
    power_goes_after(program.replace('add([Kept("11" * 32)], "g")', "undo()"), folder)
    assert len(read_decisions(folder / "decisions.jsonl")) == 0


def test_an_image_that_a_client_sent_stays(folder: Path):
    power_goes_after(
        """
        from pathlib import Path
        from cli.service.adding import UploadFolder
        UploadFolder(Path(".")).keep(b"content", bytes(32), "JPEG")
        """,
        folder,
    )
    assert [path.read_bytes() for path in folder.rglob("*.jpg")] == [b"content"]


MOVE = """
    from pathlib import Path
    from storage.folder_actions import FolderActions
    store = FolderActions()
    state = store.stat(str(Path("photos/a.jpg").absolute()))
    assert store.rename(state, str(Path("quarantine/run/photos/a.jpg").absolute()))
"""


@pytest.mark.parametrize("loss", list(Loss))
def test_a_picture_that_is_moved_is_somewhere_at_every_moment(folder: Path, loss: Loss):
    (folder / "photos").mkdir()
    (folder / "photos" / "a.jpg").write_bytes(b"picture")
    disk, operations = followed(MOVE, folder)
    random = Random(1)
    for operation in operations:
        disk.carry_out(operation)
        for _ in range(_CHANCES):
            disk.put_back(loss, random)
            assert {path.read_bytes() for path in folder.rglob("*.jpg")} == {b"picture"}, operation


def test_lists_are_all_of_one_resolve_or_the_one_to_act_on_is_missing(folder: Path):
    names = ("keep.csv", "delete.csv")
    for name in names:
        (folder / name).write_text("old")
    disk, operations = followed(
        """
        from pathlib import Path
        from resolve.output_folder import replacing_files
        with replacing_files(Path("."), ("keep.csv", "delete.csv")) as paths:
            for path in paths.values():
                path.write_text("new")
        """,
        folder,
    )
    seen = set()
    random = Random(1)
    for operation in operations:
        disk.carry_out(operation)
        for loss in [*Loss] * _CHANCES:
            disk.put_back(loss, random)
            found = [(folder / name) for name in names]
            seen.add(tuple(path.read_text() if path.exists() else None for path in found))
    assert seen <= {("old", "old"), ("old", None), ("new", None), ("new", "new")}
    assert ("new", "new") in seen


def test_stages_that_lost_power_end_with_the_same_result_and_no_picture_is_lost(tmp_path: Path):
    outcome = power.lose_power(
        6, tmp_path, seed=3, photographs=8, shares={"index": 0.5, "quarantine": 0.5}
    )
    assert outcome.faults_found() == []
    assert [stage.moments for stage in outcome.stages.values()] == [3, 3]
