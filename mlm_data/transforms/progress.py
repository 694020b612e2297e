"""What workers say of their progress. It travels as log lines, which every runner brings home."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from enum import StrEnum

from mlm_data.records import Document, Rejection

_LOGGER = logging.getLogger(__name__)
_LINE = re.compile(r"progress: (\w+) (\d+)")
_BYTES_BETWEEN_LINES = 4_000_000


class Stage(StrEnum):
    """What a count is of."""

    READ = "read_bytes"  # of the input files, as they lie
    PLANNED = "planned_shards"
    WRITTEN = "written_shards"


def report(stage: Stage, count: int) -> None:
    """Says that so much more has been done."""
    _LOGGER.info("progress: %s %d", stage, count)


def report_reading(documents: Iterator[Document | Rejection], size: int) -> Iterator[Document | Rejection]:
    """Passes documents on and says how much of their file or range that was, its whole size by the end."""
    unsaid, said = 0, 0
    for document in documents:
        yield document
        unsaid += len(document.text) if isinstance(document, Document) else 0
        if unsaid > _BYTES_BETWEEN_LINES:
            step = min(unsaid, size - said)  # text may be longer than its compressed file
            report(Stage.READ, step)
            unsaid, said = 0, said + step
    report(Stage.READ, size - said)


class ProgressHandler(logging.Handler):
    """Hears the lines of all workers, in this process or another, and hands the counts on."""

    def __init__(self, heed: Callable[[Stage, int], None]) -> None:
        super().__init__(logging.INFO)
        self._heed = heed

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        found = _LINE.search(record.getMessage())
        if found:
            self._heed(Stage(found.group(1)), int(found.group(2)))
