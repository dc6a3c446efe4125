"""Bad input: one clear line that names it, the documented exit code, nothing lost, no traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from storage.errors import ExitCode
from storage.index_directory import IndexDirectory
from tests.cli.helpers import (
    Dedup,
    IndexedGallery,
    Outcome,
    dedup_process,
    photograph,
    read_csv,
)


def _may_mount() -> bool:
    """Whether a small disk of one's own can be had, as root or in a user namespace."""
    return (
        subprocess.run(
            ["unshare", "--map-root-user", "--mount", "true"], capture_output=True, check=False
        ).returncode
        == 0
    )


def _on_disk(disk: Path, options: str, arguments: list[str | Path], cwd: Path) -> Outcome:
    """Runs the command with a small disk mounted at `disk`, seen by no other process."""
    script = f'mount -t tmpfs -o {options} tmpfs "$0" && exec "$@"'
    prefix = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(disk)]
    return dedup_process(arguments, cwd=cwd, prefix=prefix)


def test_a_folder_that_is_not_there(dedup: Dedup, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    dedup("index", missing, "--index", tmp_path / "index").must_fail(ExitCode.SOURCE, str(missing))


def test_a_container_that_is_not_there(dedup: Dedup, azurite: str, tmp_path: Path) -> None:
    dedup(
        "index", "az://nowhere", "--index", tmp_path / "index",
        AZURE_STORAGE_CONNECTION_STRING=azurite,
    ).must_fail(ExitCode.SOURCE, "nowhere")  # fmt: skip


def test_no_credentials(dedup: Dedup, tmp_path: Path) -> None:
    dedup("index", "az://photos", "--index", tmp_path / "index").must_fail(
        ExitCode.CREDENTIALS, "az://photos", "AZURE_STORAGE_CONNECTION_STRING"
    )


def test_an_empty_folder(dedup: Dedup, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("no image")
    dedup("index", empty, "--index", tmp_path / "index").must_fail(ExitCode.SOURCE, str(empty))


def test_a_query_that_is_not_there(dedup: Dedup, indexed: IndexedGallery, tmp_path: Path) -> None:
    dedup("query", tmp_path / "none.jpg", "--index", indexed.index).must_fail(
        ExitCode.USAGE, "none.jpg"
    )


def test_a_query_that_is_no_image(dedup: Dedup, indexed: IndexedGallery) -> None:
    dedup("query", indexed.folder / "notes.jpg", "--index", indexed.index).must_fail(
        ExitCode.USAGE, "notes.jpg"
    )


def test_a_truncated_query(dedup: Dedup, indexed: IndexedGallery, tmp_path: Path) -> None:
    content = photograph("rocket.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(content[: len(content) // 2])
    dedup("query", tmp_path / "half.jpg", "--index", indexed.index).must_fail(
        ExitCode.USAGE, "half.jpg"
    )


def test_one_bad_query_does_not_stop_the_others(dedup: Dedup, indexed: IndexedGallery) -> None:
    outcome = dedup(
        "query", indexed.folder / "notes.jpg", photograph("coffee.png"), "--index", indexed.index
    )
    outcome.must_fail(ExitCode.USAGE, "notes.jpg")
    assert "coffee.png" in outcome.out


def test_standard_input_with_nothing_in_it(dedup: Dedup, indexed: IndexedGallery) -> None:
    dedup("query", "-", "--index", indexed.index).must_fail(ExitCode.USAGE, "Standard input")


@pytest.mark.parametrize("command", [["resolve"], ["info"], ["query", "x.jpg"]], ids=" ".join)
def test_a_directory_that_is_no_index(dedup: Dedup, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mother.txt").write_text("Dear mother")
    dedup(*command, "--index", tmp_path / "letters").must_fail(ExitCode.INDEX, "letters")


def test_indexing_into_somebody_elses_directory(
    dedup: Dedup, indexed: IndexedGallery, tmp_path: Path
) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mother.txt").write_text("Dear mother")
    dedup("index", indexed.folder, "--index", tmp_path / "letters").must_fail(
        ExitCode.INDEX, "letters"
    )
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["mother.txt"]


def test_an_index_made_with_another_preview_size(dedup: Dedup, own_index: IndexedGallery) -> None:
    dedup("index", own_index.folder, "--index", own_index.index, "--preview-size", "320").must_fail(
        ExitCode.INDEX, "preview size", "640", "320"
    )


def test_a_model_that_does_not_exist(dedup: Dedup, indexed: IndexedGallery, tmp_path: Path) -> None:
    dedup(
        "index", indexed.folder, "--index", tmp_path / "index", "--model", "no_such_network"
    ).must_fail(ExitCode.MODEL, "no_such_network")


def test_a_setting_that_does_not_fit(dedup: Dedup, indexed: IndexedGallery) -> None:
    dedup("resolve", "--index", indexed.index, DEDUP_STRICTNESS="strict").must_fail(
        ExitCode.USAGE, "DEDUP_STRICTNESS", "safe, balanced, loose"
    )


def test_a_rule_that_does_not_exist(dedup: Dedup, own_index: IndexedGallery) -> None:
    dedup("resolve", "--index", own_index.index, "--prefer", "prettiest").must_fail(
        ExitCode.USAGE, "prettiest"
    )


def test_an_index_on_a_read_only_disk(indexed: IndexedGallery, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    arguments: list[str | Path] = ["index", indexed.folder, "--index", disk / "index"]
    if _may_mount():
        outcome = _on_disk(disk, "ro", arguments, tmp_path)
    else:
        disk.chmod(0o555)
        outcome = dedup_process(arguments, cwd=tmp_path)
    outcome.must_fail(ExitCode.STORAGE, str(disk))


@pytest.mark.skipif(not _may_mount(), reason="this user may not mount a file system")
def test_an_index_that_may_only_be_read_is_resolved_and_asked_and_not_written(
    own_index: IndexedGallery, tmp_path: Path
) -> None:
    index, out = own_index.index, tmp_path / "lists"
    before = {path: path.read_bytes() for path in index.rglob("*") if path.is_file()}
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    prefix = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(index)]

    def run(*arguments: str | Path) -> Outcome:
        return dedup_process([*arguments, "--index", index], cwd=tmp_path, prefix=prefix)

    resolved = run("resolve", "--out", out).must_succeed()
    assert "Verdicts will not be stored" in resolved.err
    assert len(read_csv(out / "delete.csv")) > 0
    run("query", own_index.folder / "coffee-half.jpg").must_succeed()
    run("info", "--check").must_succeed()
    run("repair").must_fail(ExitCode.STORAGE, "cannot be written to")
    assert {path: path.read_bytes() for path in index.rglob("*") if path.is_file()} == before


def test_lists_on_a_read_only_disk(own_index: IndexedGallery, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    arguments: list[str | Path] = ["resolve", "--index", own_index.index, "--out", disk / "lists"]
    if _may_mount():
        outcome = _on_disk(disk, "ro", arguments, tmp_path)
    else:
        disk.chmod(0o555)
        outcome = dedup_process(arguments, cwd=tmp_path)
    outcome.must_fail(ExitCode.STORAGE, str(disk))


def test_a_full_disk_stops_the_run_and_loses_nothing(
    indexed: IndexedGallery, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    arguments: list[str | Path] = ["index", indexed.folder, "--index", disk / "index"]
    if _may_mount():
        outcome = _on_disk(disk, "size=300k", arguments, tmp_path)
    else:
        prefix = ["sh", "-c", 'ulimit -f 200 && exec "$@"', "sh"]
        outcome = dedup_process(arguments, cwd=tmp_path, prefix=prefix)
    outcome.must_fail(ExitCode.STORAGE, str(disk))


def test_output_that_nobody_reads_any_more_is_no_error(indexed: IndexedGallery) -> None:
    script = '"$0" -m cli info --index "$1" --json | true; exit "${PIPESTATUS[0]}"'
    result = subprocess.run(
        ["bash", "-c", script, sys.executable, str(indexed.index)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0
    assert result.stderr == ""


def test_an_index_that_another_process_writes_to(dedup: Dedup, own_index: IndexedGallery) -> None:
    with IndexDirectory.open(own_index.index).write_lock():
        dedup("index", own_index.folder, "--index", own_index.index).must_fail(
            ExitCode.LOCKED, str(own_index.index)
        )


def test_a_damaged_image_in_the_source_does_not_stop_the_run(dedup: Dedup, tmp_path: Path) -> None:
    folder = tmp_path / "gallery"
    folder.mkdir()
    shutil.copyfile(photograph("coffee.png"), folder / "coffee.png")
    content = photograph("rocket.jpg").read_bytes()
    (folder / "half.jpg").write_bytes(content[: len(content) // 2])
    (folder / "empty.png").write_bytes(b"")
    os.mkfifo(folder / "pipe.jpg")
    index = tmp_path / "index"
    dedup("index", folder, "--index", index, DEDUP_RUNTIME="auto").must_succeed()
    dedup("resolve", "--index", index, "--out", tmp_path / "out").must_succeed()
    unreadable = {Path(row["path"]).name for row in read_csv(tmp_path / "out" / "unreadable.csv")}
    assert unreadable == {"half.jpg", "empty.png", "pipe.jpg"}
