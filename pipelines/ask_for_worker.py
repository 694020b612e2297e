"""The command by which Beam starts a worker here: asks for one that is forked, and ends when it does.

It is run by its path, and imports next to nothing. Its argument is the address of the socket where `forked_workers`
listens; its environment is what the worker is to know.
"""

import os
import signal
import socket
import sys

DONE = b"\0"

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the run, that the worker, and that this process
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(sys.argv[1])
        connection.sendall(b"\0".join(b"=".join(variable) for variable in os.environb.items()))
        connection.shutdown(socket.SHUT_WR)
        sys.exit(0 if connection.recv(1) == DONE else 1)
