"""All contenders side by side, for each of several settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders import OURS, Contender, DatasetSettings
from benchmarks.machine import describe_machine
from benchmarks.measuring import Entry, measure_with_startup
from benchmarks.results import Result, Status, ratio
from benchmarks.scaling import Scaling
from benchmarks.text import BenchmarkText


@dataclass(frozen=True)
class Texts:
    """What is given to whom.

    Attributes:
        ours: what counts for this project.
        baselines: what baselines are given, and this project too; the beginning of `ours`, or the same.
        startup: next to no text.
    """

    ours: BenchmarkText
    baselines: BenchmarkText
    startup: BenchmarkText


@dataclass(frozen=True)
class Cell:
    """All contenders with the same settings.

    Attributes:
        settings: of the dataset they make.
        results: ours first; where baselines have a smaller text, ours on that second; then the baselines.
        stages: CPU seconds of our own stages.
        scaling: ours with more processes; none where nobody asked.
    """

    settings: DatasetSettings
    results: tuple[Result, ...]
    stages: Mapping[str, float]
    scaling: Scaling | None = None

    @property
    def title(self) -> str:
        """Which cell it is."""
        return f"dupe_factor {self.settings.dupe_factor}, max_seq_length {self.settings.max_seq_length}"

    @property
    def ours(self) -> Result:
        """This project's, on all of its text."""
        return self.results[0]

    @property
    def baselines(self) -> tuple[Result, ...]:
        """Everybody else's."""
        return tuple(result for result in self.results if result.name != OURS)

    def ours_on(self, megabytes: float) -> Result:
        """This project's, on a text of that size."""
        return next(result for result in self.results if result.name == OURS and result.megabytes == megabytes)

    def whole_ratio(self, result: Result) -> float | None:
        """How many times the CPU time of ours on the same text."""
        return ratio(result.cpu_seconds_per_mb, self.ours_on(result.megabytes).cpu_seconds_per_mb)

    def growing_ratio(self, result: Result) -> float | None:
        """How many times the CPU time of ours for one MB more.

        Ours is that of its larger text, where the fixed part hides less of it.
        """
        return ratio(result.growing_cpu_seconds_per_mb, self.ours.growing_cpu_seconds_per_mb)

    def to_json(self) -> dict[str, Any]:
        """As `benchmark.json` holds it."""
        return {
            "settings": settings_json(self.settings),
            "contenders": [
                {
                    **result.to_json(),
                    "ratio_to_ours": self.whole_ratio(result),
                    "growing_ratio_to_ours": self.growing_ratio(result),
                }
                for result in self.results
            ],
            "stages": [
                {"name": name, "cpu_seconds": seconds, "cpu_seconds_per_mb": seconds / self.ours.megabytes}
                for name, seconds in self.stages.items()
            ],
            "scaling": self.scaling.to_json() if self.scaling else None,
        }


@dataclass(frozen=True)
class Comparison:
    """All cells of one run; at least one, all with the same contenders."""

    texts: Texts
    cells: tuple[Cell, ...]

    @property
    def failed(self) -> bool:
        """Whether somebody who was there could not be measured."""
        return any(result.status is Status.FAILED for cell in self.cells for result in cell.results)

    def to_json(self) -> dict[str, Any]:
        """As `benchmark.json` holds it."""
        return {
            "machine": describe_machine(),
            "texts": {name: text_json(text) for name, text in vars(self.texts).items()},
            "cells": [cell.to_json() for cell in self.cells],
        }


def measure_side_by_side(
    ours: Contender, baselines: Sequence[Contender], texts: Texts, repeats: int, directory: Path
) -> tuple[Result, ...]:
    """Measures this project on both of its texts, and the baselines on theirs: the results of a `Cell`.

    Args:
        ours: this project.
        baselines: those that are missing too.
        texts: what they are given.
        repeats: runs of each.
        directory: a new one, for what they write.
    """
    own_texts = dict.fromkeys((texts.ours, texts.baselines))  # one where they are the same
    entries = [Entry(ours, text) for text in own_texts]
    entries += [Entry(contender, texts.baselines) for contender in baselines]
    return measure_with_startup(entries, texts.startup, repeats, directory)


def settings_json(settings: DatasetSettings) -> dict[str, Any]:
    """Without the directory of the vocabulary, which says nothing to others."""
    return {**asdict(settings), "vocab_file": Path(settings.vocab_file).name}


def text_json(text: BenchmarkText) -> dict[str, Any]:
    """Without the places of files, which are gone afterwards."""
    values = asdict(text)
    return {name: values[name] for name in ("size", "documents", "sentences", "copies")}
