"""Compressed files become the bytes they hold, a bounded piece at a time."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO

import zstandard

# What reading a missing, truncated or corrupt file raises.
READ_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)

_PIECE_BYTES = 1 << 18
_ZSTD_INPUT_BYTES = 1 << 9  # a hostile frame grows 32,000-fold: 16 MiB from this much


def decompress(stream: BinaryIO, path: str) -> Iterator[bytes]:
    """The content of an open file, decompressed as the end of its name says; members laid end to end are all read.

    Raises:
        OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError: see `READ_ERRORS`; after everything before
            the damage was given.
    """
    return _DECOMPRESSORS.get(compression_suffix(path), read_plain)(stream)


def compression_suffix(path: str) -> str:
    """The part of a file name that says how it is compressed, in small letters, or nothing.

    >>> compression_suffix("essays.txt.GZ")
    '.gz'
    """
    return next((suffix for suffix in _DECOMPRESSORS if path.lower().endswith(suffix)), "")


def read_plain(stream: BinaryIO) -> Iterator[bytes]:
    """The content of an open file from where it stands, as it lies."""
    return iter(partial(stream.read, _PIECE_BYTES), b"")


def _read_members(open_members: Callable[[Any], Any], stream: BinaryIO) -> Iterator[bytes]:
    # Unlike `read`, `read1` does not lose what it has when the next block turns out to be damaged.
    return iter(partial(open_members(stream).read1, _PIECE_BYTES), b"")


def _read_zstd(stream: BinaryIO) -> Iterator[bytes]:
    # Frame by frame, since the library's own stream reader takes a truncated file for a complete one.
    frame = None
    for piece in read_plain(stream):
        for start in range(0, len(piece), _ZSTD_INPUT_BYTES):
            compressed = piece[start : start + _ZSTD_INPUT_BYTES]
            while compressed:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                decompressed = frame.decompress(compressed)
                yield from (decompressed[at : at + _PIECE_BYTES] for at in range(0, len(decompressed), _PIECE_BYTES))
                compressed = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
    if frame is not None:
        raise EOFError("the file ends within a zstd frame")


_DECOMPRESSORS: dict[str, Callable[[BinaryIO], Iterator[bytes]]] = {
    ".gz": partial(_read_members, lambda stream: gzip.GzipFile(fileobj=stream)),
    ".bz2": partial(_read_members, bz2.BZ2File),
    ".xz": partial(_read_members, lzma.LZMAFile),
    ".zst": _read_zstd,
}
