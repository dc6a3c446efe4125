"""The tools that dedup is compared with, one module each."""

from __future__ import annotations

from benchmarks.accuracy.tools.base import ComparedTool
from benchmarks.accuracy.tools.imagededup_cnn import ImagededupCnn
from benchmarks.accuracy.tools.imagededup_phash import ImagededupPhash
from benchmarks.accuracy.tools.pdq import Pdq
from benchmarks.accuracy.tools.whash import Whash

__all__ = ["TOOLS", "ComparedTool"]

TOOLS: tuple[ComparedTool, ...] = (Whash(), Pdq(), ImagededupPhash(), ImagededupCnn())
