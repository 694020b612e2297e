"""Text as make-pretraining-data reads it, for what is done with it before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlm_data.cleaning import clean_document
from mlm_data.config import CorporaSettings
from mlm_data.corpora import plan_inputs, read_documents
from mlm_data.records import Document
from mlm_data.storage import LocalStorage


def clean_documents(inputs: Sequence[str]) -> Iterator[Document]:
    """The documents of some files, cleaned; those that hold no text are left out.

    Args:
        inputs: each a path or glob, with a format before a colon if need be, as `--input` takes it.

    Raises:
        SettingsError: there are no such files.
    """
    settings, storage = CorporaSettings(input=tuple(inputs)), LocalStorage()
    for file in plan_inputs(settings, storage):
        for found in read_documents(file, settings, storage):
            cleaned = clean_document(found) if isinstance(found, Document) else found
            if isinstance(cleaned, Document):
                yield cleaned
