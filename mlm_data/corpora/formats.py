"""What formats there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import BinaryIO

from mlm_data.config import CorporaSettings
from mlm_data.corpora.plain_text import blocks, filled_lines, read_plain_text, whole
from mlm_data.corpora.ranges import FileRange
from mlm_data.records import Document, Layout, Rejection

Reader = Callable[[BinaryIO, FileRange, CorporaSettings], Iterator[Document | Rejection]]

# A reader gives the documents of an open file, or of a range of it, as they come, numbered from 0, holding one at a
# time. It may raise any of `decompression.READ_ERRORS`: what it has given until then counts.
READERS: Mapping[str, Reader] = {
    "text": partial(read_plain_text, cut=whole, layout=Layout.WRAPPED),
    "paragraphs": partial(read_plain_text, cut=blocks, layout=Layout.PARAGRAPHS),
    "lines": partial(read_plain_text, cut=filled_lines, layout=Layout.PARAGRAPHS),
    "sentences": partial(read_plain_text, cut=blocks, layout=Layout.SENTENCES),
}
