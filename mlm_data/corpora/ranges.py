"""Large files are read in ranges of their bytes, so that one file keeps many processes busy.

Ranges are planned by sizes alone. Where documents begin is found out by whoever reads a range: it starts at the first
boundary (a place at which a file of that format may be cut) at or after its first byte and ends at the first one at or
after its last. Neighbours find the same boundary, so that each document is read once, by one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from mlm_data.corpora.decoding import Beginning
from mlm_data.corpora.decompression import compression_suffix, read_plain
from mlm_data.corpora.inputs import InputFile

_SMALLEST_RANGE, _LARGEST_RANGE = 2_000_000, 8_000_000  # bytes
_FEW_RANGES = 24  # of a small corpus, so that some processes have about equally much to do

_LONGEST_BLANK_LINE = 100  # bytes before its end; after longer ones no file is cut
_LINE_END = re.compile(rb"\n")
_END_BEFORE_BLANK_LINE = re.compile(rb"\n(?=[ \t\r]{0,%d}\n)" % _LONGEST_BLANK_LINE)

# The formats that may be cut, and after what: places at which a document ends, though not all such places.
_BOUNDARIES: Mapping[str, re.Pattern[bytes]] = {
    "paragraphs": _END_BEFORE_BLANK_LINE,
    "lines": _LINE_END,
    "sentences": _END_BEFORE_BLANK_LINE,
}

# Beginnings of the names of encodings that have no states: unlike in UTF-7, HZ and ISO-2022, what a line means does not
# depend on the lines before it. A file in a rare one that is missing here is merely read by one process.
_STATELESS = (
    *("ascii", "utf-8", "iso8859", "cp", "koi8", "mac"),
    *("big5", "euc", "gb", "johab", "shift_jis"),
)
# Put after the last line, whether of a part or of a file. A character that breaks off there would otherwise take the
# line end with it: decoders tell what is left of it by the bytes that follow, of which EUC-KR's wants 8.
_LINE_ENDS = b"\n" * 8


@dataclass(frozen=True, slots=True)
class FileRange:
    """A file or a part of one, to be read independently of the other parts.

    Attributes:
        file: what it is a part of.
        start: the place in the file, in bytes, from which on its first document is looked for.
        end: the `start` of the next part, or the size of the file.
    """

    file: InputFile
    start: int
    end: int

    @classmethod
    def whole(cls, file: InputFile) -> FileRange:
        """All of a file."""
        return cls(file, 0, file.size)

    @property
    def is_whole(self) -> bool:
        """Whether there are no other parts."""
        return self.size == self.file.size

    @property
    def size(self) -> int:
        """In bytes, as they lie."""
        return self.end - self.start

    @property
    def source(self) -> str:
        """What its documents name as their source: the path, of a part with the range as in `big.txt[0:16000000]`."""
        return self.file.path if self.is_whole else f"{self.file.path}[{self.start}:{self.end}]"


def cut_files(files: Sequence[InputFile], range_bytes: int | None = None) -> list[FileRange]:
    """The files in the same order, each whole or, where that is possible and worth it, in parts.

    Args:
        files: as planned.
        range_bytes: size of a part; files smaller than two stay whole. By default, 2 to 8 megabytes by the size of all
            files.
    """
    if range_bytes is None:
        total = sum(file.size for file in files)
        range_bytes = min(max(total // _FEW_RANGES, _SMALLEST_RANGE), _LARGEST_RANGE)
    return [part for file in files for part in _cut(file, range_bytes)]


def _cut(file: InputFile, range_bytes: int) -> list[FileRange]:
    can_cut = file.input_format in _BOUNDARIES and not compression_suffix(file.path) and file.limit is None
    if not can_cut or file.size < 2 * range_bytes:
        return [FileRange.whole(file)]
    return [FileRange(file, start, min(start + range_bytes, file.size)) for start in range(0, file.size, range_bytes)]


def read_pieces(stream: BinaryIO, beginning: Beginning, part: FileRange, encoding: str) -> Iterator[bytes]:
    """The bytes of the documents of a part, in pieces.

    Where the encoding turns out to be one whose lines cannot be read by themselves, the first part has all documents.

    Args:
        stream: the file; where it stands does not matter.
        beginning: of the file, not of the part.
        part: which documents.
        encoding: of the file, as given by `find_encoding`.

    Raises:
        EOFError: the file ends before the part does.
        OSError: the file cannot be read.
    """
    boundary = _BOUNDARIES.get(part.file.input_format)
    if boundary is None or not _is_line_by_line(encoding):
        return beginning.pieces if part.start == 0 else iter(())
    return chain(_cut_out(stream, beginning, part, boundary), [_LINE_ENDS])


def _cut_out(stream: BinaryIO, beginning: Beginning, part: FileRange, boundary: re.Pattern[bytes]) -> Iterator[bytes]:
    if part.is_whole:
        return beginning.pieces
    if part.start == 0:
        return _between_boundaries(beginning.pieces, part, boundary)
    if beginning.damage is not None:
        raise beginning.damage
    stream.seek(part.start - 1)
    return _between_boundaries(read_plain(stream), part, boundary)


def _is_line_by_line(encoding: str) -> bool:
    """Whether 0x0A is always a line feed and decoding may begin after any of them."""
    return encoding.startswith(_STATELESS) and b"\n".decode(encoding) == "\n"  # it is not in EBCDIC


@dataclass(frozen=True, slots=True)
class _Window:
    """Bytes `start` to `end` of a file, `text`, with as many more as tell whether a line at their end is blank."""

    start: int
    end: int
    text: bytes

    def find(self, boundary: re.Pattern[bytes], at: int) -> int | None:
        """The first boundary at or after a place in the file, if it is in this window."""
        found = boundary.search(self.text, max(at - 1 - self.start, 0))
        return self.start + found.end() if found and self.start + found.end() <= self.end else None

    def between(self, begin: int, end: int | None) -> bytes:
        """The bytes of this window between two places in the file; None: to the end of the window."""
        return self.text[max(begin - self.start, 0) : (self.end if end is None else end) - self.start]


def _between_boundaries(pieces: Iterable[bytes], part: FileRange, boundary: re.Pattern[bytes]) -> Iterator[bytes]:
    """Of the bytes from the one before a part on, those between its boundaries."""
    position = max(part.start - 1, 0)
    begin = None if part.start else 0
    for window in _windows(pieces, position):
        position = window.end
        if begin is None:
            begin = window.find(boundary, part.start)
        if begin is None and position < part.end:
            continue
        if begin is None:
            return  # one document, which began in an earlier part, goes on beyond this one
        end = window.find(boundary, part.end)
        yield window.between(begin, end)
        if end is not None:
            return
    if position < part.end:
        raise EOFError(f"the file ends before byte {part.end}")


def _windows(pieces: Iterable[bytes], position: int) -> Iterator[_Window]:
    text = b""
    for piece in pieces:
        text += piece
        size = len(text) - _LONGEST_BLANK_LINE - 1
        if size > 0:
            yield _Window(position, position + size, text)
            position, text = position + size, text[size:]
    yield _Window(position, position + len(text), text)
