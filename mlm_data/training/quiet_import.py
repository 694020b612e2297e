"""TensorFlow imported without what it says of every machine."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_import() -> Iterator[None]:
    """While TensorFlow is imported inside, standard error is kept back; it is shown if an exception ends the import.

    TensorFlow 2.20 and 2.21 write there before they read `TF_CPP_MIN_LOG_LEVEL`, which is set here for all that follows
    unless the user did so.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
