"""Progress as a person watches it, stage by stage: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 10


@dataclass(frozen=True)
class Stage:
    """A part of the work: its name, and how amounts of it are written."""

    name: str
    amount: Callable[[int], str] = "{:,}".format


def stage_of_bytes(name: str) -> Stage:
    """A stage whose amounts are bytes."""
    return Stage(name, decimal)


class StageDisplay:
    """Shows while the block runs how far each stage has come, how fast it is and how long it will take."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[Stage, TaskID] = {}
        self._said_at = time.monotonic()

    def __enter__(self) -> StageDisplay:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, stage: Stage, total: int | None) -> None:
        """From now on this stage is shown; it is done when `total` is reached, and waits while that is not known."""
        self._tasks[stage] = self._bars.add_task(stage.name, total=total, start=total is not None, done="", note="")

    def expect(self, stage: Stage, total: int) -> None:
        """The total of a stage that waited for it."""
        self._bars.update(self._tasks[stage], total=total)
        self._bars.start_task(self._tasks[stage])

    def advance(self, stage: Stage, count: int) -> None:
        """So much more of the stage is done."""
        self._bars.advance(self._tasks[stage], count)
        self._show(stage)

    def reach(self, stage: Stage, done: int, note: str = "") -> None:
        """So much of the stage is done altogether; a note says more of it."""
        self._bars.update(self._tasks[stage], completed=done, note=note)
        self._show(stage)

    def _show(self, stage: Stage) -> None:
        task = self._bars.tasks[self._bars.task_ids.index(self._tasks[stage])]
        done = _tell_amount(stage, task)
        self._bars.update(task.id, done=done)
        if not self._console.is_terminal and time.monotonic() - self._said_at > _SECONDS_BETWEEN_LINES:
            self._said_at = time.monotonic()
            left = "" if task.time_remaining is None else f", {timedelta(seconds=int(task.time_remaining))} left"
            note = f", {task.fields['note']}" if task.fields["note"] else ""
            self._console.print(f"{stage.name}: {done}{left}{note}")


def _tell_amount(stage: Stage, task: Task) -> str:
    """Such as "120.0 MB of 604.0 MB, 14.8 MB/s"."""
    done = stage.amount(int(task.completed))
    if task.total is not None:
        done += f" of {stage.amount(int(task.total))}"
    return f"{done}, {_tell_rate(stage, task.speed)}" if task.speed and not task.finished else done


def _tell_rate(stage: Stage, speed: float) -> str:
    """Amounts a second, or a minute where it is slow."""
    return f"{stage.amount(int(speed))}/s" if speed >= 1 else f"{60 * speed:.1f}/min"
