"""What was measured, as values and as JSON."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.contenders import (
    OURS,
    Contender,
    ContenderFailedError,
    DatasetSettings,
    Usage,
    least,
    measure,
)
from benchmarks.text import BenchmarkText

_LIBRARIES = ("mlm-data", "apache-beam", "nanotoken", "numpy", "sentencex", "tokenizers")


class Status(StrEnum):
    """Whether there are figures."""

    MEASURED = "measured"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True)
class Result:
    """What a contender took.

    Attributes:
        name: as in `Contender`.
        does: as in `Contender`.
        status: whether there are figures.
        reason: why there are none; empty where there are.
        megabytes: of raw text, millions of bytes.
        runs: all runs on the text.
        fixed_cpu_seconds: what it took for next to no text: imports, vocabulary, all that does not grow.
    """

    name: str
    does: str
    status: Status
    reason: str
    megabytes: float
    runs: tuple[Usage, ...] = ()
    fixed_cpu_seconds: float = 0.0

    @property
    def best(self) -> Usage | None:
        """The run that counts; none where nothing was measured."""
        return least(self.runs) if self.runs else None

    @property
    def cpu_seconds_per_mb(self) -> float | None:
        """Of the whole process."""
        return self.best.cpu_seconds / self.megabytes if self.best else None

    @property
    def growing_cpu_seconds_per_mb(self) -> float | None:
        """Without what is the same for any text; none where a text is too small to tell the difference."""
        growing = self.best.cpu_seconds - self.fixed_cpu_seconds if self.best else 0.0
        return growing / self.megabytes if growing > 0 else None


@dataclass(frozen=True)
class Benchmark:
    """All of one run."""

    settings: DatasetSettings
    text: BenchmarkText
    results: tuple[Result, ...]
    stages: Mapping[str, float]

    @property
    def ours(self) -> Result:
        """This project's."""
        return next(result for result in self.results if result.name == OURS)

    def to_json(self) -> dict[str, Any]:
        """As `benchmark.json` holds it."""
        text = asdict(self.text)
        return {
            "settings": {**asdict(self.settings), "vocab_file": Path(self.settings.vocab_file).name},
            "text": {name: text[name] for name in ("size", "documents", "sentences", "copies")},
            "machine": describe_machine(),
            "contenders": [self._contender_json(result) for result in self.results],
            "stages": [
                {"name": name, "cpu_seconds": seconds, "cpu_seconds_per_mb": seconds / self.text.megabytes}
                for name, seconds in self.stages.items()
            ],
        }

    def _contender_json(self, result: Result) -> dict[str, Any]:
        ours, best = self.ours, result.best
        return {
            "name": result.name,
            "does": result.does,
            "status": result.status.value,
            "reason": result.reason,
            "cpu_seconds": best.cpu_seconds if best else None,
            "fixed_cpu_seconds": result.fixed_cpu_seconds if best else None,
            "cpu_seconds_per_mb": result.cpu_seconds_per_mb,
            "growing_cpu_seconds_per_mb": result.growing_cpu_seconds_per_mb,
            "peak_bytes": best.peak_bytes if best else None,
            "records": best.records if best else None,
            "ratio_to_ours": ratio(result.cpu_seconds_per_mb, ours.cpu_seconds_per_mb),
            "growing_ratio_to_ours": ratio(result.growing_cpu_seconds_per_mb, ours.growing_cpu_seconds_per_mb),
            "runs": [asdict(run) for run in result.runs],
        }


def ratio(one: float | None, other: float | None) -> float | None:
    """How many times the other; none where one of them is not known."""
    return one / other if one is not None and other else None


def measure_contender(
    contender: Contender, text: BenchmarkText, startup: BenchmarkText, repeats: int, directory: Path
) -> Result:
    """Measures a contender on both texts, or says why it cannot be.

    Args:
        contender: who.
        text: what counts.
        startup: next to no text.
        repeats: runs of each.
        directory: a new one, for what it writes.
    """
    nothing = Result(contender.name, contender.does, Status.MISSING, contender.missing, text.megabytes)
    if contender.missing:
        return nothing
    try:
        runs = [measure(contender, text, directory / f"run-{number}") for number in range(repeats)]
        # Afterwards, so that neither caches of the file system nor compiled modules are new to it.
        fixed = [measure(contender, startup, directory / f"startup-{number}") for number in range(repeats)]
    except ContenderFailedError as error:
        return Result(contender.name, contender.does, Status.FAILED, str(error), text.megabytes)
    return Result(
        name=contender.name,
        does=contender.does,
        status=Status.MEASURED,
        reason="",
        megabytes=text.megabytes,
        runs=tuple(runs),
        fixed_cpu_seconds=least(fixed).cpu_seconds,
    )


def describe_machine() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": {name: version for name in _LIBRARIES if (version := _version(name))},
    }


def _processor() -> str:
    try:
        lines: Sequence[str] = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None
