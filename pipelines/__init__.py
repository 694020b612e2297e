"""The doors: argument parsing and wiring, one file per program. Nothing here runs on a worker."""

import logging

# Beam says much that is of no use to a person, beginning with its import: programs print their own errors, and of the
# logs only those of errors. A handler has to be there before Beam is imported, or it would make its own.
_handler = logging.StreamHandler()
_handler.setLevel(logging.ERROR)
logging.getLogger().addHandler(_handler)
