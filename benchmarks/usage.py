"""What a command takes: CPU, time, memory, and the records it writes."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import REPOSITORY, Contender
from benchmarks.text import BenchmarkText

_RECORD_HEADER = struct.Struct("<Q4x")  # length and its checksum
_RECORD_FOOTER_BYTES = 4


@dataclass(frozen=True)
class Usage:
    """What one run of a command took.

    Attributes:
        cpu_seconds: user and system time of all its processes.
        wall_seconds: from beginning to end.
        peak_bytes: largest resident set of one of its processes.
        records: TFRecords it wrote.
    """

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int
    records: int


class ContenderFailedError(Exception):
    """A contender's command did not end well; the message says how."""


def measure(contender: Contender, text: BenchmarkText, directory: Path) -> Usage:
    """Runs a contender once, and deletes what it made.

    Args:
        contender: one that is not missing.
        text: what it is given.
        directory: a new one, for what it writes.

    Raises:
        ContenderFailedError: its exit status is not 0.
    """
    output, log = directory / "output", directory / "log.txt"
    output.mkdir(parents=True)
    command = contender.command(text, output)
    launcher = [sys.executable, str(REPOSITORY / "benchmarks" / "measure.py"), str(log), *command]
    environment = {**os.environ, **contender.environment}
    done = subprocess.run(launcher, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    taken = json.loads(done.stdout)
    if status := taken.pop("status"):
        said = log.read_text(errors="replace").strip().splitlines()
        raise ContenderFailedError(f"exit status {status}: {said[-1] if said else 'it said nothing'}")
    records = sum(map(count_records, output.glob("*.tfrecord")))
    shutil.rmtree(directory)  # all runs together would fill a disk
    return Usage(**taken, records=records)


def measure_together(contender: Contender, text: BenchmarkText, number: int, directory: Path) -> tuple[Usage, ...]:
    """Runs a contender several times at once, each run on its own; arguments and errors as of `measure`."""
    with ThreadPoolExecutor(number) as threads:
        runs = [threads.submit(measure, contender, text, directory / f"{place}") for place in range(number)]
        return tuple(run.result() for run in runs)


def least_cpu(usages: Sequence[Usage]) -> Usage:
    """The run that took least CPU time: other work on the machine only ever adds to it."""
    return min(usages, key=lambda usage: usage.cpu_seconds)


def least_wall(usages: Sequence[Usage]) -> Usage:
    """The run that ended soonest."""
    return min(usages, key=lambda usage: usage.wall_seconds)


def count_records(path: Path) -> int:
    """Records of an uncompressed TFRecord file, by their lengths alone."""
    records, place, size = 0, 0, path.stat().st_size
    with path.open("rb") as file:
        while place < size:
            file.seek(place)
            (length,) = _RECORD_HEADER.unpack(file.read(_RECORD_HEADER.size))
            place += _RECORD_HEADER.size + length + _RECORD_FOOTER_BYTES
            records += 1
    return records
