"""One file, or a part of one, becomes documents, whatever is the matter with it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from mlm_data.config import CorporaSettings
from mlm_data.corpora.decompression import READ_ERRORS
from mlm_data.corpora.formats import READERS
from mlm_data.corpora.inputs import InputFile
from mlm_data.corpora.ranges import FileRange
from mlm_data.records import Document, Reason, Rejection
from mlm_data.storage import Storage


def read_documents(file: InputFile, settings: CorporaSettings, storage: Storage) -> Iterator[Document | Rejection]:
    """The documents of a file, in order, read as they are asked for.

    Nothing about the file raises an error: what cannot be read, or holds nothing, is a `Rejection`. A damaged file
    gives the documents that end before the damage. No more than one document is held in memory, and none over
    `settings.max_document_bytes`.

    Args:
        file: as planned; at most `file.limit` documents are given.
        settings: encoding and largest document.
        storage: where the file lies.
    """
    return read_range(FileRange.whole(file), settings, storage)


def read_range(part: FileRange, settings: CorporaSettings, storage: Storage) -> Iterator[Document | Rejection]:
    """The documents of a part of a file, as `read_documents` gives those of a whole one.

    All parts of a file together give what the whole file does, but for the numbers of the documents.
    """
    index = documents = 0
    try:
        with storage.open_for_reading(part.file.path) as stream:
            for item in READERS[part.file.input_format](stream, part, settings):
                yield item
                index += 1
                documents += isinstance(item, Document)
                if documents == part.file.limit:
                    return
    except READ_ERRORS as error:
        detail = f"{type(error).__name__}: {error}; expected a readable, complete file"
        yield Rejection(Reason.UNREADABLE, part.source, index, detail)
    else:
        if index == 0 and part.start == 0:
            yield from _reject_empty(part, settings, storage)


def _reject_empty(part: FileRange, settings: CorporaSettings, storage: Storage) -> Iterator[Rejection]:
    """Rejects a file without text, once its first part turns out to have none."""
    if part.is_whole:
        yield Rejection(Reason.EMPTY, part.file.path, 0, "no text in the file")
        return
    for item in islice(read_documents(part.file, settings, storage), 1):
        if isinstance(item, Rejection) and item.reason is Reason.EMPTY:
            yield item
