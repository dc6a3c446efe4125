"""The invented result is one that the report and the review can show."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.report.__main__ import measure
from benchmarks.report.result import InventedImages, write_result
from resolve.page.groups_file import open_groups
from resolve.report import ReportOptions, write_report_of


def test_the_result_has_the_groups_asked_for_and_copies_of_each(tmp_path: Path) -> None:
    summary = write_result(tmp_path, 60)
    with open_groups(tmp_path) as groups:
        assert len(groups) == summary.groups == 60
        assert groups.copies.min() >= 1
        assert groups.copies.sum() == summary.delete
    page = write_report_of(tmp_path, InventedImages(), summary, ReportOptions())
    assert page.stat().st_size > 60 * 10_000


def test_each_figure_is_measured_in_a_browser(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium here: install it (apt install chromium) to run this")
    figures = measure(60, tmp_path, chromium)
    assert figures["report_first_group_s"] > 0
    assert figures["review_next_median_s"] > 0
    assert figures["groups"] == 60
