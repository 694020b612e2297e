"""What workers report of the pipeline's progress, shown while it runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console

from mlm_data.transforms import progress
from pipelines.stage_display import Stage, StageDisplay, stage_of_bytes

_READING, _WRITING = stage_of_bytes("reading text"), Stage("writing shards")
# Where the lines of workers arrive: of this process by their own names, of others through Beam's.
_LOGGERS = ("mlm_data", "apache_beam.runners.portability.local_job_service")


@contextmanager
def show_progress(console: Console, input_bytes: int) -> Iterator[None]:
    """Shows what workers report while the block runs."""
    with StageDisplay(console) as display:
        display.begin(_READING, input_bytes)
        display.begin(_WRITING, None)
        with _listening(progress.ProgressHandler(partial(_heed, display))):
            yield


def _heed(display: StageDisplay, stage: progress.Stage, count: int) -> None:
    if stage is progress.Stage.PLANNED:
        display.expect(_WRITING, count)
    else:
        display.advance(_READING if stage is progress.Stage.READ else _WRITING, count)


@contextmanager
def _listening(handler: logging.Handler) -> Iterator[None]:
    """Lets a handler, and nobody else, hear the workers."""
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
