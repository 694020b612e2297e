"""The doors: argument parsing and wiring, one file per program. Nothing here runs on a worker."""

import logging

# Beam says much that is of no use to a person, beginning with its import, and logs as errors what it raises anyway.
# A handler has to be there before Beam is imported, or Beam would make its own.
_handler = logging.StreamHandler()
_handler.setLevel(logging.CRITICAL)
logging.getLogger().addHandler(_handler)
