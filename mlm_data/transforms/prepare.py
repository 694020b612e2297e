"""Rooms 1 to 4 in a row: files become tokenized documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam

from mlm_data.cleaning import clean_document, document_key
from mlm_data.config import CorporaSettings, SentencesSettings, WordpieceSettings
from mlm_data.corpora import InputFile, read_documents
from mlm_data.records import Document, Layout, Reason, Rejection, SplitDocument, TokenizedDocument
from mlm_data.sentences import SentenceSplitter, split_lines
from mlm_data.transforms.progress import report_reading
from mlm_data.transforms.storage import BeamStorage
from mlm_data.vocabulary import Vocabulary
from mlm_data.wordpiece import WordpieceTokenizer

_CHARACTERS_PER_BATCH = 500_000  # enough sentences for the tokenizer to be at full speed
EXCERPT_CHARACTERS = 500


@dataclass(eq=False)  # Beam writes notes of its own into transforms
class PrepareDocuments(beam.PTransform):
    """Files to tokenized documents and, in the same collection, rejections.

    Rejections pass through every step untouched, so that none needs an output of its own.
    """

    corpora: CorporaSettings
    sentences: SentencesSettings
    wordpiece: WordpieceSettings
    vocabulary: Vocabulary

    def expand(self, files: beam.PCollection[InputFile]) -> beam.PCollection[TokenizedDocument | Rejection]:
        """See `beam.PTransform`."""
        return (
            files
            | "Spread files over workers" >> beam.Reshuffle()
            | "Read documents" >> beam.FlatMap(read_file, self.corpora)
            | "Clean text" >> beam.Map(clean)
            | "Split sentences" >> beam.ParDo(SplitSentences(self.sentences))
            | "Batch documents"
            >> beam.BatchElements(_CHARACTERS_PER_BATCH, _CHARACTERS_PER_BATCH, element_size_fn=count_characters)
            | "Tokenize" >> beam.ParDo(Tokenize(self.wordpiece, self.vocabulary))
        )


def read_file(file: InputFile, settings: CorporaSettings) -> Iterator[Document | Rejection]:
    """The documents of one file, with progress."""
    return report_reading(read_documents(file, settings, BeamStorage()), file.size)


def clean(item: Document | Rejection) -> Document | Rejection:
    """A document cleaned, a rejection as it is."""
    return clean_document(item) if isinstance(item, Document) else item


def count_characters(item: SplitDocument | Rejection) -> int:
    """The size of a document for batching."""
    return 1 + (sum(map(len, item.sentences)) if isinstance(item, SplitDocument) else 0)


class SplitSentences(beam.DoFn):
    """Cuts documents into sentences; the splitter is made where it runs, since it cannot travel."""

    def __init__(self, settings: SentencesSettings) -> None:
        self._settings = settings

    def setup(self) -> None:
        """See `beam.DoFn`."""
        self._splitter = SentenceSplitter(self._settings)

    def process(self, item: Document | Rejection) -> Iterator[SplitDocument | Rejection]:
        """See `beam.DoFn`."""
        if isinstance(item, Rejection):
            yield item
            return
        split = split_lines if item.layout is Layout.SENTENCES else self._splitter.split
        yield SplitDocument(document_key(item.text), item.source, item.index, split(item.text), item.repairs)


class Tokenize(beam.DoFn):
    """Turns sentences into ids; the tokenizer is made where it runs, since it cannot travel."""

    def __init__(self, settings: WordpieceSettings, vocabulary: Vocabulary) -> None:
        self._settings = settings
        self._vocabulary = vocabulary

    def setup(self) -> None:
        """See `beam.DoFn`."""
        self._tokenizer = WordpieceTokenizer(self._vocabulary, self._settings)

    def process(self, batch: Sequence[SplitDocument | Rejection]) -> Iterator[TokenizedDocument | Rejection]:
        """See `beam.DoFn`."""
        documents = [item for item in batch if isinstance(item, SplitDocument)]
        yield from (item for item in batch if isinstance(item, Rejection))
        for document, tokenized in zip(documents, self._tokenizer.tokenize(documents), strict=True):
            yield tokenized if len(tokenized.ids) else _without_tokens(document)


def _without_tokens(document: SplitDocument) -> Rejection:
    return Rejection(
        Reason.EMPTY,
        document.source,
        document.index,
        "the tokenizer finds nothing in its text, only characters it drops",
        " ".join(document.sentences)[:EXCERPT_CHARACTERS],
    )
