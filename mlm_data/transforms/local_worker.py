"""A worker process of the local runner: Beam's own, less talkative.

Its log lines and exceptions go to the process that started it, as on any runner. Beam prints them as well.
"""

import logging
import os
import signal
import sys

_STDERR = 2  # the file descriptor, since gRPC prints, too


def run_worker() -> None:
    """Works as the environment says, see `apache_beam.runners.worker.sdk_worker_main`, until told to end."""
    logging.getLogger().handlers = [logging.NullHandler()]  # before Beam is imported, which would add one that prints
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the run, which tells of it, and that its workers
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR)

    from apache_beam.runners.worker import sdk_worker_main  # noqa: PLC0415 (see above)

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    run_worker()
