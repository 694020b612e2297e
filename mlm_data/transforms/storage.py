"""Any file system Beam knows, as the rooms' `Storage`."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from mlm_data.storage import FileStat


class BeamStorage:
    """Files wherever their paths point: local, gs://, s3://, hdfs:// and what else is installed."""

    def match(self, pattern: str) -> list[FileStat]:
        """See `Storage`."""
        try:
            (result,) = FileSystems.match([pattern])
        except (BeamIOError, ValueError) as error:  # ValueError: a scheme whose extra is not installed
            raise OSError(f"cannot list {pattern}: {error}") from error
        # Of local files, Beam lists directories too when the pattern is a plain path.
        files = (file for file in result.metadata_list if not Path(file.path).is_dir())
        found = ((file.path, file.size_in_bytes, file.last_updated_in_seconds or 0.0) for file in files)
        return [FileStat(*file) for file in sorted(found)]

    def open_for_reading(self, path: str) -> BinaryIO:
        """See `Storage`; decompression is left to the reader."""
        return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)

    def open_for_writing(self, path: str) -> BinaryIO:
        """See `Storage`."""
        self._make_directory(path)
        return FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)

    def rename(self, source: str, destination: str) -> None:
        """See `Storage`."""
        self._make_directory(destination)
        try:
            FileSystems.rename([source], [destination])
        except BeamIOError as error:
            raise OSError(f"cannot rename {source} to {destination}: {error}") from error

    def delete(self, path: str) -> None:
        """See `Storage`."""
        # Where there are no directories, as in object stores, only what has that prefix exists.
        found = [path] if FileSystems.exists(path) else [file.path for file in self.match(f"{path}/**")]
        if found:
            FileSystems.delete(found)

    @staticmethod
    def _make_directory(path: str) -> None:
        directory = FileSystems.split(path)[0]
        if not FileSystems.exists(directory):
            try:
                FileSystems.mkdirs(directory)
            except OSError:
                if not FileSystems.exists(directory):  # another worker may have been first
                    raise
