"""Files that are written whole or not at all, TFRecord files among them."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from zlib_ng import zlib_ng

from mlm_data.records import EncodedBatch
from mlm_data.shards.framing import frame
from mlm_data.storage import Storage

UNFINISHED = "_unfinished"  # directory, inside the dataset's, for files that have no final name yet

# On encoded records, three times as fast as zlib's default level at nearly its ratio.
_GZIP_LEVEL = 2
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # zlib's way to ask for a gzip header, which then holds no time and no name


@dataclass(frozen=True, slots=True)
class WrittenShard:
    """A shard as it lies on disk.

    Attributes:
        name: of the file.
        records: how many it holds.
        size: in bytes, compressed if it is.
        sha256: in hexadecimal.
        seq_length: what its records are padded to, where a dataset has shards of several lengths.
    """

    name: str
    records: int
    size: int
    sha256: str
    seq_length: int | None = None


@contextmanager
def atomic_file(storage: Storage, directory: str, name: str) -> Iterator[BinaryIO]:
    """A file that gets its name in the directory when the block ends well, and leaves nothing if it does not."""
    # The temporary name only has to be nobody else's; it never reaches the output.
    temporary = f"{directory}/{UNFINISHED}/{name}.{secrets.token_hex(8)}"
    file = storage.open_for_writing(temporary)
    try:
        with file:
            yield file
        storage.rename(temporary, f"{directory}/{name}")
    except BaseException:
        storage.delete(temporary)
        raise


def write_shard(
    storage: Storage, directory: str, name: str, batches: Iterable[EncodedBatch], compression: str = "none"
) -> WrittenShard:
    """Writes a TFRecord file, atomically: the same name and content whoever writes it, however often.

    Args:
        storage: where it is written.
        directory: of the dataset.
        name: see `shard_name`.
        batches: the records in order.
        compression: "none" or "gzip".
    """
    digest, size, records = hashlib.sha256(), 0, 0
    compressor = zlib_ng.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW) if compression == "gzip" else None
    with atomic_file(storage, directory, name) as file:
        for batch in batches:
            records += len(batch)
            framed = frame(batch)
            content = compressor.compress(framed) if compressor else framed
            digest.update(content)
            size += file.write(content)
        if compressor:
            rest = compressor.flush()
            digest.update(rest)
            size += file.write(rest)
    return WrittenShard(name, records, size, digest.hexdigest())
