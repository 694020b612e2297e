"""A worker process of the local runner: Beam's own, less talkative.

Its log lines and exceptions go to the process that started it, as on any runner. Beam prints them as well.
"""

import logging
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    logging.getLogger().addHandler(logging.NullHandler())  # before Beam is imported, which would add one that prints
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (for as long as the process lives)

    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)
