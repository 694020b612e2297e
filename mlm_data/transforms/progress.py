"""What workers say of their progress. It travels as log lines, which every runner brings home."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
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


def report_reading(parts: Iterable[tuple[Iterator[Document | Rejection], int]]) -> Iterator[Document | Rejection]:
    """Passes documents on and says how much of the input that was.

    Args:
        parts: the documents of files or ranges of files, and how many bytes of those each is; all are said by the end.
    """
    unsaid = 0
    for documents, size in parts:
        left = size
        for document in documents:
            yield document
            # Text may be longer than its compressed file.
            step = min(len(document.text), left) if isinstance(document, Document) else 0
            left, unsaid = left - step, unsaid + step
            if unsaid > _BYTES_BETWEEN_LINES:
                report(Stage.READ, unsaid)
                unsaid = 0
        unsaid += left
    report(Stage.READ, unsaid)


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
