"""One file becomes documents, whatever is the matter with it."""

from __future__ import annotations

from collections.abc import Iterator

from mlm_data.config import CorporaSettings
from mlm_data.corpora.decompression import READ_ERRORS
from mlm_data.corpora.formats import READERS
from mlm_data.corpora.inputs import InputFile
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
    index = documents = 0
    try:
        with storage.open_for_reading(file.path) as stream:
            for item in READERS[file.input_format](stream, file, settings):
                yield item
                index += 1
                documents += isinstance(item, Document)
                if documents == file.limit:
                    return
    except READ_ERRORS as error:
        detail = f"{type(error).__name__}: {error}; expected a readable, complete file"
        yield Rejection(Reason.UNREADABLE, file.path, index, detail)
    else:
        if index == 0:
            yield Rejection(Reason.EMPTY, file.path, 0, "no text in the file")
