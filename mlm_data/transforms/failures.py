"""How a worker ends a run for a reason the user can act on, and how the door hears of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

# Innermost: Beam raises the error anew at every step it passes, each time with the marked text as its message.
_MARKED = re.compile(r"<run-failed>((?:(?!<run-failed>).)*?)</run-failed>", re.DOTALL)


class RunFailedError(Exception):
    """The run cannot go on; the message says what was got, what was expected and what to do.

    Runners hand a worker's exception on as text inside another one, so the message is marked in it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"<run-failed>{message}</run-failed>")


def failure_message(error: BaseException) -> str | None:
    """The message of the `RunFailedError` that a runner's exception stems from, if it does."""
    found = _MARKED.search(str(error))
    return found.group(1) if found else None


@contextmanager
def fail_if_unwritable(what: str, directory: str) -> Iterator[None]:
    """Turns the errors of a file system, such as a full disk, into the end of the run.

    Raises:
        RunFailedError: the block raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise RunFailedError(
            f"could not write {what} to {directory}: {error}. Nothing partial was left under a final name; make room "
            f"or mend the directory, then start again."
        ) from error
