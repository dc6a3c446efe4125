"""Run by the Python that has fastdup: run_fastdup.py PICTURES WORK"""

import os
import sys
from pathlib import Path

import fastdup

if __name__ == "__main__":
    pictures, work = sys.argv[1:]
    dataset = fastdup.create(work_dir=work, input_dir=pictures)
    dataset.run(num_threads=len(os.sched_getaffinity(0)), print_summary=False)
    if len(dataset.annotations()) != sum(1 for _ in Path(pictures).iterdir()):
        sys.exit("fastdup has not described all of the pictures")
