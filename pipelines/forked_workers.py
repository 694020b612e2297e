"""Workers of the local runner that have imported everything: copies of this process, made before it has threads.

To start a worker from nothing takes a second of each core. So a process is forked off before the pipeline runs, which
forks again whenever Beam wants a worker. Beam starts workers by a command: ours is `ask_for_worker.py`, which asks that
process for one, through a socket nobody else can reach, and lives as long as its worker.
"""

from __future__ import annotations

import gc
import os
import select
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from mlm_data.transforms.local_worker import run_worker
from pipelines import ask_for_worker

_SECONDS_TO_END = 5.0  # for workers, when the run is over


def can_fork() -> bool:
    """Whether a copy of this process is sure to work.

    Only on Linux, and only while no other Python thread might hold a lock. The threads of OpenBLAS and Arrow that wait
    for work do no harm: both libraries are prepared for a fork.
    """
    return sys.platform == "linux" and threading.active_count() == 1


@contextmanager
def fork_workers() -> Iterator[str]:
    """Gives the command that starts a worker, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="mlm-data-", ignore_cleanup_errors=True) as directory:
        address = str(Path(directory, "workers"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen()
            over, running = os.pipe()
            forker = _fork()
            if not forker:
                os.close(running)
                _fork_on_demand(listener, over, directory)
        os.close(over)
        try:
            # Isolated and without site packages, it starts in a hundredth of a second.
            yield shlex.join([sys.executable, "-I", "-S", str(Path(ask_for_worker.__file__)), address])
        finally:
            os.close(running)
            os.waitpid(forker, 0)


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, see `can_fork`
        return os.fork()


def _fork_on_demand(listener: socket.socket, over: int, directory: str) -> NoReturn:
    """Forks a worker for whoever asks, until the run is over, whether it says so or dies; then tidies up."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the run, and that this process
        gc.freeze()  # so that no search for garbage touches, and thereby copies, what workers share
        workers = []
        while over not in select.select([listener.fileno(), over], [], [])[0]:
            connection, _ = listener.accept()
            worker = _fork()
            if not worker:
                _work(connection)
            connection.close()
            workers.append(worker)
        _wait_for(workers)
    finally:  # nothing that this process is a copy of must go on here
        shutil.rmtree(directory, ignore_errors=True)
        os._exit(0)


def _work(connection: socket.socket) -> NoReturn:
    """Becomes a worker, with the environment that is sent; says in the end, by a byte, that all went well."""
    status = 1
    try:
        with connection.makefile("rb") as lines:
            variables = lines.read().split(b"\0")
        for name, _, value in (variable.partition(b"=") for variable in variables):
            os.environb[name] = value
        run_worker()
        connection.sendall(ask_for_worker.DONE)
        status = 0
    finally:
        os._exit(status)


def _wait_for(workers: list[int]) -> None:
    """Waits until they have ended, and ends those that do not."""
    deadline = time.monotonic() + _SECONDS_TO_END
    while workers and time.monotonic() < deadline:
        workers = [worker for worker in workers if os.waitpid(worker, os.WNOHANG) == (0, 0)]
        time.sleep(0.01)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
