"""A worker process of the local runner: Beam's own, less talkative.

Its log lines go to the process that started it, as on any runner; only what could not travel is printed.
"""

import logging
import sys

if __name__ == "__main__":
    handler = logging.StreamHandler()
    handler.setLevel(logging.CRITICAL)
    logging.getLogger().addHandler(handler)  # before Beam is imported, which would add one that prints everything

    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)
