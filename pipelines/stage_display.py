"""How far a program of one process has come, stage by stage: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 10


class StageDisplay:
    """Shows one stage after another while the block runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._said_at = time.monotonic()

    def __enter__(self) -> StageDisplay:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, stage: str, total: int) -> None:
        """The stages before it are done; this one is when `total` is reached."""
        self._stage, self._total = stage, total
        self._task = self._bars.add_task(stage, total=total, note="")

    def reach(self, done: int, note: str = "") -> None:
        """So much of the stage's total is done; a note says more of it."""
        self._bars.update(self._task, completed=done, note=note)
        if not self._console.is_terminal and time.monotonic() - self._said_at > _SECONDS_BETWEEN_LINES:
            self._said_at = time.monotonic()
            share = f"{self._stage}: {done / max(1, self._total):.0%}"
            self._console.print(f"{share}, {note}" if note else share)
