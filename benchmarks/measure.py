"""Runs a command and prints what it took. Standard library only, and a process of its own.

A command's peak memory is counted from its fork, so that it would never be below that of whoever starts it: this
program is small, and starts only one.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time


def measure(command: list[str], log: str) -> dict[str, float | int]:
    """CPU seconds (user and system) and peak resident bytes of a command and all it started, and its exit status.

    Args:
        command: as `subprocess` takes it.
        log: file for all it prints.
    """
    started = time.monotonic()
    with open(log, "wb") as file:  # noqa: PTH123 (pathlib is not small)
        status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "status": status,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "wall_seconds": time.monotonic() - started,
        "peak_bytes": used.ru_maxrss * unit,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[2:], sys.argv[1])))
