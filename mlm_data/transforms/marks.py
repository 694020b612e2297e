"""Marks: small files that say what an unfinished run has finished, and what came of it."""

from __future__ import annotations

from mlm_data.shards import atomic_file
from mlm_data.storage import Storage


def read_mark(storage: Storage, directory: str, name: str) -> bytes | None:
    """The content of a mark; None if the work it stands for did not come to its end."""
    path = f"{directory}/{name}"
    if not storage.match(path):
        return None
    with storage.open_for_reading(path) as file:
        return file.read()


def write_mark(storage: Storage, directory: str, name: str, content: str) -> None:
    """Leaves a mark, atomically, once all it stands for is written."""
    with atomic_file(storage, directory, name) as file:
        file.write(content.encode())
