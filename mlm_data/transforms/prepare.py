"""Rooms 1 to 4 in a row: a file becomes tokenized documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlm_data.cleaning import clean_document, document_key
from mlm_data.config import Settings
from mlm_data.corpora import FileRange, InputFile, read_documents, read_range
from mlm_data.records import EXCERPT_CHARACTERS, Document, Layout, Reason, Rejection, SplitDocument, TokenizedDocument
from mlm_data.sentences import SentenceSplitter, split_lines
from mlm_data.storage import Storage
from mlm_data.transforms.progress import report_reading
from mlm_data.vocabulary import Vocabulary
from mlm_data.wordpiece import WordpieceTokenizer

_CHARACTERS_PER_BATCH = 500_000  # enough sentences for the tokenizer to be at full speed


class Preparer:
    """Reads, cleans, splits and tokenizes. It does not travel between processes: make it where it runs."""

    def __init__(self, settings: Settings, vocabulary: Vocabulary, storage: Storage) -> None:
        self._corpora = settings.corpora
        self._storage = storage
        self._splitter = SentenceSplitter(settings.sentences)
        self._tokenizer = WordpieceTokenizer(vocabulary, settings.wordpiece)

    def read(self, file: InputFile) -> Iterator[Document | Rejection]:
        """The documents of a file as they stand in it."""
        return read_documents(file, self._corpora, self._storage)

    def prepare_ranges(self, ranges: Iterable[FileRange]) -> Iterator[TokenizedDocument | Rejection]:
        """All documents of some files or parts of files, with progress."""
        parts = ((read_range(part, self._corpora, self._storage), part.size) for part in ranges)
        return self.prepare(report_reading(parts))

    def prepare(self, items: Iterable[Document | Rejection]) -> Iterator[TokenizedDocument | Rejection]:
        """Documents tokenized, those of no use as rejections; rejections as they are."""
        batch: list[SplitDocument] = []
        characters = 0
        for item in items:
            cleaned = clean_document(item) if isinstance(item, Document) else item
            if isinstance(cleaned, Rejection):
                yield cleaned
                continue
            batch.append(self._split(cleaned))
            characters += len(cleaned.text)
            if characters >= _CHARACTERS_PER_BATCH:
                yield from self._tokenize(batch)
                batch, characters = [], 0
        yield from self._tokenize(batch)

    def _split(self, document: Document) -> SplitDocument:
        split = split_lines if document.layout is Layout.SENTENCES else self._splitter.split
        key = document_key(document.text)
        return SplitDocument(key, document.source, document.index, split(document.text), document.repairs)

    def _tokenize(self, batch: list[SplitDocument]) -> Iterator[TokenizedDocument | Rejection]:
        for document, tokenized in zip(batch, self._tokenizer.tokenize(batch), strict=True):
            yield tokenized if len(tokenized.ids) else _without_tokens(document)


def _without_tokens(document: SplitDocument) -> Rejection:
    return Rejection(
        Reason.EMPTY,
        document.source,
        document.index,
        "the tokenizer finds nothing in its text, only characters it drops",
        " ".join(document.sentences)[:EXCERPT_CHARACTERS],
    )
