"""The formats of plain text: they differ in where a document ends and in what its lines are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mlm_data.config import CorporaSettings
from mlm_data.corpora.decoding import decode, find_encoding, is_binary, look_ahead, mend_undecodable
from mlm_data.corpora.decompression import decompress
from mlm_data.corpora.ranges import FileRange, read_pieces
from mlm_data.records import EXCERPT_CHARACTERS, Document, Layout, Reason, Rejection


@dataclass(frozen=True, slots=True)
class Overlong:
    """Stands for a line or document over the limit, of which only the beginning was kept."""

    beginning: str


Cut = Callable[[Iterable[str], int], Iterator[str | Overlong]]


def read_plain_text(
    stream: BinaryIO, part: FileRange, settings: CorporaSettings, *, cut: Cut, layout: Layout
) -> Iterator[Document | Rejection]:
    """The documents of an open file of plain text, or of a part of it.

    Args:
        stream: the file as it lies.
        part: which documents; the name of its file tells the compression.
        settings: encoding and largest document.
        cut: turns pieces of text into documents none of which has many more characters than the limit it is given.
        layout: what the lines of the documents are.
    """
    beginning = look_ahead(decompress(stream, part.file.path))
    encoding, mark_length = find_encoding(beginning.head, settings.encoding)
    if is_binary(beginning.head, encoding):
        if part.start == 0:
            yield _binary(part, encoding)
        return
    limit = settings.max_document_bytes
    pieces = decode(read_pieces(stream, beginning, part, encoding), encoding, 0 if part.start else mark_length)
    for index, text in enumerate(cut(pieces, limit)):
        if isinstance(text, Overlong) or _is_longer(text, limit):
            yield _too_long(text, part.source, index, limit)
        else:
            mended, repairs = mend_undecodable(text, encoding)
            yield Document(part.source, index, mended, layout, repairs)


def whole(pieces: Iterable[str], limit: int) -> Iterator[str | Overlong]:
    """`text`: all of the file is one document, none if there is nothing but white space."""
    kept: list[str] = []
    size = 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size > limit:
            yield Overlong(_beginning(kept))
            return
    text = "".join(kept)
    if text and not text.isspace():
        yield text


def filled_lines(pieces: Iterable[str], limit: int) -> Iterator[str | Overlong]:
    """`lines`: every line that is not blank is a document."""
    return (line for line in _split_lines(pieces, limit) if isinstance(line, Overlong) or not _is_blank(line))


def blocks(pieces: Iterable[str], limit: int) -> Iterator[str | Overlong]:
    """`paragraphs` and `sentences`: a document goes up to a blank line or the end of the file."""
    kept: list[str] = []
    size = 0
    overlong: Overlong | None = None
    for line in _split_lines(pieces, limit):
        if isinstance(line, Overlong):
            overlong = overlong or Overlong(_beginning(_with_line_ends([*kept, line.beginning])))
        elif not _is_blank(line):
            kept.append(line)
            size += len(line) + 1
            if size > limit + 1:
                overlong = overlong or Overlong(_beginning(_with_line_ends(kept)))
        elif kept or overlong:
            yield overlong or "\n".join(kept)
            kept, size, overlong = [], 0, None
        if overlong:
            kept, size = [], 0
    if kept or overlong:
        yield overlong or "\n".join(kept)


def _split_lines(pieces: Iterable[str], limit: int) -> Iterator[str | Overlong]:
    """The lines, blank ones included; a line far over the limit is dropped as it comes in."""
    started: list[str] = []  # pieces of the line that is not yet complete
    size = 0
    overlong: Overlong | None = None
    for piece in pieces:
        end_of_started, *others = piece.split("\n")
        if not overlong:
            started.append(end_of_started)
            size += len(end_of_started)
        if others:
            yield overlong or "".join(started)
            yield from others[:-1]
            started, size, overlong = [others[-1]], len(others[-1]), None
        if size > limit:
            overlong = Overlong(_beginning(started))
            started, size = [], 0
    if overlong or size:
        yield overlong or "".join(started)


def _with_line_ends(lines: Iterable[str]) -> Iterator[str]:
    return (f"{line}\n" for line in lines)


def _is_blank(line: str) -> bool:
    return not line or line.isspace()


def _is_longer(text: str, limit: int) -> bool:
    """Whether the text takes more bytes of UTF-8; encodes it only where four bytes a character would be too many."""
    return 4 * len(text) > limit and len(text.encode("utf-8", "surrogatepass")) > limit


def _beginning(pieces: Iterable[str]) -> str:
    beginning = ""
    for piece in pieces:
        beginning += piece[:EXCERPT_CHARACTERS]
        if len(beginning) >= EXCERPT_CHARACTERS:
            break
    return beginning[:EXCERPT_CHARACTERS].rstrip("\n")


def _binary(part: FileRange, encoding: str) -> Rejection:
    detail = f"control characters among the first bytes; expected text in {encoding}: leave it out or set --encoding"
    return Rejection(Reason.BINARY, part.file.path, 0, detail)


def _too_long(text: str | Overlong, source: str, index: int, limit: int) -> Rejection:
    beginning = text.beginning if isinstance(text, Overlong) else text[:EXCERPT_CHARACTERS]
    detail = f"more than {limit} bytes; expected a smaller document: name another format or raise --max_document_bytes"
    return Rejection(Reason.TOO_LONG, source, index, detail, mend_undecodable(beginning, "utf-8")[0])
