"""The doors: argument parsing and wiring, one file per program. Nothing here runs on a worker."""

import logging
import threading

# Beam says much that is of no use to a person, beginning with its import, and logs as errors what it raises anyway.
# A handler has to be there before Beam is imported, or Beam would make its own.
_handler = logging.StreamHandler()
_handler.setLevel(logging.CRITICAL)
logging.getLogger().addHandler(_handler)

# Likewise the threads that Beam starts: when a run fails or is interrupted, they all tell of it, with tracebacks,
# though the error reaches the main thread anyway.
threading.excepthook = lambda _: None
