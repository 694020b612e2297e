"""Progress as a person watches it: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mlm_data.transforms.progress import ProgressHandler, Stage

_SECONDS_BETWEEN_LINES = 10
# Where the lines of workers arrive: of this process by their own names, of others through Beam's.
_LOGGERS = ("mlm_data", "apache_beam.runners.portability.local_job_service")


@contextmanager
def show_progress(console: Console, input_bytes: int) -> Iterator[None]:
    """Shows what workers report while the block runs."""
    with _Bars(console, input_bytes) if console.is_terminal else _Lines(console, input_bytes) as display:
        handler = ProgressHandler(display.heed)
        loggers = [logging.getLogger(name) for name in _LOGGERS]
        before = [(logger.level, logger.propagate) for logger in loggers]
        for logger in loggers:
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
            logger.propagate = False
        try:
            yield
        finally:
            for logger, (level, propagate) in zip(loggers, before, strict=True):
                logger.removeHandler(handler)
                logger.setLevel(level)
                logger.propagate = propagate


class _Bars(Progress):
    """One bar for reading, one for shards."""

    def __init__(self, console: Console, input_bytes: int) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._reading = self.add_task("reading text", total=input_bytes, done="")
        self._writing: TaskID = self.add_task("writing shards", total=None, start=False, done="")

    def heed(self, stage: Stage, count: int) -> None:
        """Moves the bar of a stage."""
        if stage is Stage.PLANNED:
            self.update(self._writing, total=count)
            self.start_task(self._writing)
        else:
            self.advance(self._reading if stage is Stage.READ else self._writing, count)
        reading, writing = self.tasks
        speed = f", {decimal(int(reading.speed))}/s" if reading.speed and not reading.finished else ""
        self.update(
            self._reading, done=f"{decimal(int(reading.completed))} of {decimal(int(reading.total or 0))}{speed}"
        )
        if writing.total:
            self.update(self._writing, done=f"{int(writing.completed)} of {int(writing.total)}")


class _Lines:
    """The same as plain lines, for logs."""

    def __init__(self, console: Console, input_bytes: int) -> None:
        self._console = console
        self._totals = {Stage.READ: input_bytes, Stage.WRITTEN: 0}
        self._done = {Stage.READ: 0, Stage.WRITTEN: 0}
        self._said_at = time.monotonic()

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def heed(self, stage: Stage, count: int) -> None:
        """Counts, and says so when it has been silent for a while."""
        if stage is Stage.PLANNED:
            self._totals[Stage.WRITTEN] = count
            return
        self._done[stage] += count
        if time.monotonic() - self._said_at > _SECONDS_BETWEEN_LINES:
            self._said_at = time.monotonic()
            done, total = self._done[stage], self._totals[stage]
            amount = f"{decimal(done)} of {decimal(total)}" if stage is Stage.READ else f"{done} of {total} shards"
            self._console.print(f"{'read' if stage is Stage.READ else 'wrote'} {amount}")
