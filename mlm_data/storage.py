"""What rooms need of a file system. Beam's file systems satisfy it in the hallway; here is the local one."""

from __future__ import annotations

import glob
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class FileStat:
    """One file: its path, its size in bytes, and when it was last changed (seconds since 1970)."""

    path: str
    size: int
    modified: float


class Storage(Protocol):
    """Files by path. Methods raise `OSError` where the file system does."""

    def match(self, pattern: str) -> list[FileStat]:
        """The files a glob (or a plain path) names, ordered by path; none is not an error."""

    def open_for_reading(self, path: str) -> BinaryIO:
        """The file's bytes as they lie, without decompression, from any place on: it can seek."""

    def open_for_writing(self, path: str) -> BinaryIO:
        """A new or emptied file; missing directories are made."""

    def rename(self, source: str, destination: str) -> None:
        """Gives a file its final name, replacing what is there; missing directories are made."""

    def delete(self, path: str) -> None:
        """Removes a file or a whole directory; a missing one is not an error."""


class LocalStorage:
    """The local file system."""

    def match(self, pattern: str) -> list[FileStat]:
        """See `Storage`; `**` matches any number of directories."""
        paths = [Path(pattern)] if Path(pattern).is_file() else map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207 (absolute patterns)
        files = sorted(path for path in paths if path.is_file())
        return [FileStat(str(path), path.stat().st_size, path.stat().st_mtime) for path in files]

    def open_for_reading(self, path: str) -> BinaryIO:
        """See `Storage`."""
        return Path(path).open("rb")

    def open_for_writing(self, path: str) -> BinaryIO:
        """See `Storage`."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return Path(path).open("wb")

    def rename(self, source: str, destination: str) -> None:
        """See `Storage`."""
        Path(destination).parent.mkdir(parents=True, exist_ok=True)
        Path(source).replace(destination)

    def delete(self, path: str) -> None:
        """See `Storage`."""
        if Path(path).is_dir():
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)
