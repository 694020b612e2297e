"""Tokenized documents on disk, so that building needs neither memory for all of them nor a second tokenization.

A store is a directory of Arrow IPC files. Record batch k of each holds the documents of fine bucket k, so whoever
builds a bucket reads its batches of every file and nothing else. Fine buckets are ranges of the hash that decides the
final ones (see `shards.assign_bucket`), whose number need not be known yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlm_data.config import SettingsError
from mlm_data.records import TokenizedDocument, pack_repairs, unpack_repairs
from mlm_data.shards import assign_bucket, atomic_file
from mlm_data.storage import Storage

FINE_BUCKETS = 256
SUFFIX = ".arrow"

_MARK = "fingerprint.txt"

_SOURCES = b"sources"  # names of files, in the schema's metadata: columns hold their numbers


def claim_store(storage: Storage, directory: str, fingerprint: str) -> bool:
    """Makes sure a directory is a store of these tokens, or may become one.

    Returns:
        Whether it was one before.

    Raises:
        SettingsError: it holds other tokens, or something else.
        OSError: it cannot be written to.
    """
    found = read_fingerprint(storage, directory)
    if found == fingerprint:
        return True
    if found is not None:
        message = f"--tokens_dir {directory} holds the tokens of other text or settings; choose another directory"
        raise SettingsError(message)
    if storage.match(f"{directory}/*"):
        message = f"--tokens_dir {directory} holds files that are no tokens of ours; choose another directory"
        raise SettingsError(message)
    with atomic_file(storage, directory, _MARK) as file:
        file.write(fingerprint.encode() + b"\n")
    return False


def read_fingerprint(storage: Storage, directory: str) -> str | None:
    """Which tokens a directory holds, as `config.tokens_fingerprint` names them; None if it is no store."""
    if not storage.match(f"{directory}/{_MARK}"):
        return None
    with storage.open_for_reading(f"{directory}/{_MARK}") as file:
        return file.read().decode("utf-8", "replace").strip()


@dataclass(frozen=True, slots=True)
class TokenStore:
    """A directory of token files.

    Attributes:
        storage: where it lies.
        directory: its path.
        seed: of the run, which decides buckets.
    """

    storage: Storage
    directory: str
    seed: int

    def write(self, name: str, documents: Iterable[TokenizedDocument]) -> None:
        """Writes one file, atomically.

        Args:
            name: of the file, without suffix.
            documents: in any order; all are held in memory.
        """
        buckets: list[list[TokenizedDocument]] = [[] for _ in range(FINE_BUCKETS)]
        for document in documents:
            buckets[assign_bucket(self.seed, document.key, FINE_BUCKETS)].append(document)
        everything = _to_batch(list(chain.from_iterable(buckets)))
        bounds = accumulate(map(len, buckets), initial=0)
        with (
            atomic_file(self.storage, self.directory, name + SUFFIX) as file,
            pa.ipc.new_file(pa.PythonFile(file, "w"), everything.schema) as writer,
        ):
            for start, end in pairwise(bounds):
                writer.write_batch(everything.slice(start, end - start))

    def read(self, names: Sequence[str], bucket: int, buckets: int) -> Iterator[TokenizedDocument]:
        """The documents of one bucket.

        Args:
            names: of the files, without suffix.
            bucket: which one, from 0.
            buckets: how many there are.
        """
        first, last = bucket * FINE_BUCKETS // buckets, ((bucket + 1) * FINE_BUCKETS - 1) // buckets
        is_exact = FINE_BUCKETS % buckets == 0  # else a fine bucket may belong to two
        for name in names:
            with self.storage.open_for_reading(f"{self.directory}/{name}{SUFFIX}") as file:
                reader = pa.ipc.open_file(pa.PythonFile(file, "r"))
                sources = json.loads(reader.schema.metadata[_SOURCES])
                for fine in range(first, last + 1):
                    for document in _from_batch(reader.get_batch(fine), sources):
                        if is_exact or assign_bucket(self.seed, document.key, buckets) == bucket:
                            yield document


def _schema(id_dtype: np.dtype[Any], sources: Sequence[str]) -> pa.Schema:
    fields = [
        ("key", pa.binary(16)),
        ("source", pa.uint32()),
        ("index", pa.uint32()),
        ("repairs", pa.uint32()),
        ("ids", pa.list_(pa.from_numpy_dtype(id_dtype))),
        ("sentence_offsets", pa.list_(pa.uint32())),
    ]
    return pa.schema(fields, metadata={_SOURCES: json.dumps(sources).encode()})


def _to_batch(documents: Sequence[TokenizedDocument]) -> pa.RecordBatch:
    sources = sorted({document.source for document in documents})
    numbers = {source: number for number, source in enumerate(sources)}
    id_dtype = max((document.ids.dtype for document in documents), default=np.dtype(np.uint16))
    columns = [
        pa.array([document.key for document in documents], pa.binary(16)),
        pa.array([numbers[document.source] for document in documents], pa.uint32()),
        pa.array([document.index for document in documents], pa.uint32()),
        pa.array([pack_repairs(document.repairs) for document in documents], pa.uint32()),
        _list_array([document.ids for document in documents], id_dtype),
        _list_array([document.sentence_offsets for document in documents], np.dtype(np.uint32)),
    ]
    return pa.record_batch(columns, schema=_schema(id_dtype, sources))


def _list_array(rows: Sequence[NDArray[Any]], dtype: np.dtype[Any]) -> pa.ListArray:
    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    values = np.concatenate([*rows, np.zeros(0, dtype)]).astype(dtype, copy=False)
    return pa.ListArray.from_arrays(offsets, pa.array(values, pa.from_numpy_dtype(dtype)))


def _from_batch(batch: pa.RecordBatch, sources: Sequence[str]) -> Iterator[TokenizedDocument]:
    columns = [batch.column(name) for name in ("key", "source", "index", "repairs")]
    (ids, id_at), (offsets, offset_at) = (_rows(batch.column(name)) for name in ("ids", "sentence_offsets"))
    for row, (key, source, index, repairs) in enumerate(zip(*(column.to_pylist() for column in columns), strict=True)):
        yield TokenizedDocument(
            key=key,
            source=sources[source],
            index=index,
            ids=ids[id_at[row] : id_at[row + 1]],
            sentence_offsets=offsets[offset_at[row] : offset_at[row + 1]],
            repairs=unpack_repairs(repairs),
        )


def _rows(column: pa.ListArray) -> tuple[NDArray[Any], list[int]]:
    return column.values.to_numpy(), column.offsets.to_pylist()
