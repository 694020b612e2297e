"""Bytes become text: which encoding, where it has to be guessed, and what becomes of undecodable bytes."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mlm_data.corpora.decompression import READ_ERRORS
from mlm_data.records import Repair

HEAD_BYTES = 1 << 16  # what is looked at before a file is read

# Longest first: the mark of UTF-16 begins that of UTF-32.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"  # ESC begins a character in ISO-2022
_MOST_CONTROL_BYTES = 8, 20  # this many, or one in so many bytes, whichever is more


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a file begins.

    Attributes:
        head: its first bytes.
        pieces: all its bytes, those of `head` included.
        damage: the error because of which there are no more of them; `pieces` raises it in its place.
    """

    head: bytes
    pieces: Iterator[bytes]
    damage: BaseException | None = None


def look_ahead(pieces: Iterator[bytes]) -> Beginning:
    """Reads the first 64 KiB (less where the file is shorter or damaged) without losing them."""
    seen: list[bytes] = []
    size = 0
    damage: BaseException | None = None
    try:
        while size < HEAD_BYTES and (piece := next(pieces, None)) is not None:
            seen.append(piece)
            size += len(piece)
    except READ_ERRORS as error:
        damage = error

    def again() -> Iterator[bytes]:
        yield from seen
        if damage is not None:
            raise damage
        yield from pieces

    return Beginning(b"".join(seen)[:HEAD_BYTES], again(), damage)


def find_encoding(head: bytes, encoding: str) -> tuple[str, int]:
    """The encoding to use and the length of the byte order mark to skip; a mark overrules the setting."""
    for mark, marked_encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return marked_encoding, len(mark)
    # Without a mark, Python's utf-16 and utf-32 refuse to decode; little-endian is what such files nearly always are.
    name = codecs.lookup(encoding).name
    return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name), 0


def is_binary(head: bytes, encoding: str) -> bool:
    """Whether a file that begins like this is no text: NUL bytes, or too many control characters.

    Args:
        head: the first bytes.
        encoding: as given by `find_encoding`.
    """
    if encoding.startswith(("utf-16", "utf-32")):
        return False
    controls = len(head) - len(head.translate(None, _CONTROL_BYTES))
    return 0 in head or controls > max(_MOST_CONTROL_BYTES[0], len(head) // _MOST_CONTROL_BYTES[1])


def decode(pieces: Iterable[bytes], encoding: str, skip: int = 0) -> Iterator[str]:
    r"""The text in pieces, "\n" its only line end.

    Undecodable bytes of UTF-8 become lone surrogates, for `mend_undecodable` to judge document by document; of any
    other encoding U+FFFD.

    Args:
        pieces: the bytes, cut anywhere.
        encoding: as given by `find_encoding`.
        skip: bytes to leave out at the beginning.
    """
    errors = "surrogateescape" if encoding == "utf-8" else "replace"
    # The C part of TextIOWrapper: also knows "\r" and "\r\n" cut in two by the end of a piece.
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(errors), translate=True)
    for piece in pieces:
        kept = piece[skip:]
        skip -= len(piece) - len(kept)
        yield decoder.decode(kept)
    yield decoder.decode(b"", final=True)


def mend_undecodable(text: str, encoding: str) -> tuple[str, tuple[Repair, ...]]:
    """The text of one document without traces of undecodable bytes, and what was mended.

    A document with undecodable bytes but without a single non-ASCII character in valid UTF-8 is in a single-byte
    encoding, Windows-1252 by far the likeliest. Elsewhere, such bytes become U+FFFD, which the tokenizer drops.

    Args:
        text: as given by `decode`.
        encoding: as given by `find_encoding`.
    """
    if text.isascii():
        return text, ()
    if encoding != "utf-8":
        return text, (Repair.UNDECODABLE_BYTES,) if "\ufffd" in text else ()
    try:
        text.encode()
    except UnicodeEncodeError:
        return _mend_utf8(text)
    return text, ()


def _mend_utf8(text: str) -> tuple[str, tuple[Repair, ...]]:
    try:
        single_byte = text.encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        mended = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return mended, (Repair.UNDECODABLE_BYTES,)
    return single_byte.decode("windows-1252", "replace"), (Repair.WINDOWS_1252,)
