"""The text all contenders are given: documents of the inputs up to a size, and the same as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlm_data.cleaning import clean_document, document_key
from mlm_data.config import CorporaSettings, SentencesSettings
from mlm_data.corpora import plan_inputs, read_documents
from mlm_data.records import Document, Layout
from mlm_data.sentences import SentenceSplitter, split_lines
from mlm_data.storage import LocalStorage

MEGABYTE = 1_000_000
_STARTUP_DOCUMENTS = 64
_FORMAT_OF = {Layout.WRAPPED: "text", Layout.PARAGRAPHS: "paragraphs", Layout.SENTENCES: "sentences"}


@dataclass(frozen=True)
class BenchmarkText:
    """One text on disk, raw and as sentences.

    Attributes:
        inputs: the raw text, UTF-8, as values of `--input`.
        sentences_file: the same, cleaned and split by this project: one sentence a line, a blank line after a document.
        size: of the raw text, bytes.
        documents: how many there are.
        sentences: how many there are.
        copies: how often the text of the inputs was used; more than 1 where it was smaller than asked for.
    """

    inputs: tuple[str, ...]
    sentences_file: str
    size: int
    documents: int
    sentences: int
    copies: int

    @property
    def megabytes(self) -> float:
        """Millions of bytes of raw text."""
        return self.size / MEGABYTE


def take_text(inputs: Sequence[str], input_format: str, megabytes: float, directory: Path) -> BenchmarkText:
    """Takes documents of all inputs in turn until there is enough text, and writes it down.

    Exact duplicates are left out, since some contenders drop them and others do not. Where the inputs hold too little,
    they are read again, each document under a heading that says which copy it is.

    Args:
        inputs: as `--input` takes them.
        input_format: as `--input_format` takes it.
        megabytes: how much; the last document is not cut, so that it can be a little more.
        directory: where it is written.

    Raises:
        ValueError: the inputs hold no text at all.
    """
    chosen: list[Document] = []
    size, copies = 0, 0
    while size < megabytes * MEGABYTE:
        copies += 1
        before = len(chosen)
        for document in _new_documents(inputs, input_format):
            chosen.append(document if copies == 1 else _with_heading(document, copies))
            size += len(chosen[-1].text.encode())
            if size >= megabytes * MEGABYTE:
                break
        if len(chosen) == before:
            raise ValueError(f"no text in {', '.join(inputs)}; expected at least one document")
    return _write(chosen, copies, directory)


def startup_text(directory: Path) -> BenchmarkText:
    """A text so small that what a contender spends on it is what it always spends."""
    texts = [
        f"Report number {number} is short.\nIts second paragraph has a sentence. Then there is another one."
        for number in range(_STARTUP_DOCUMENTS)
    ]
    return _write([Document("startup", number, text) for number, text in enumerate(texts)], 1, directory)


def _new_documents(inputs: Sequence[str], input_format: str) -> Iterator[Document]:
    """Documents that differ from all before; always from the input that has given least so far."""
    streams = [_read(argument, input_format) for argument in inputs]
    given = [0] * len(streams)
    active = list(range(len(streams)))
    seen: set[bytes] = set()
    while active:
        number = min(active, key=given.__getitem__)
        document = next(streams[number], None)
        if document is None:
            active.remove(number)
        elif (key := document_key(document.text)) not in seen:
            seen.add(key)
            given[number] += len(document.text)
            yield document


def _read(argument: str, input_format: str) -> Iterator[Document]:
    settings, storage = CorporaSettings(input=(argument,), input_format=input_format), LocalStorage()
    for file in plan_inputs(settings, storage):
        for item in read_documents(file, settings, storage):
            # What cannot be written as UTF-8 would have to be mended first, which is the contenders' work.
            if isinstance(item, Document) and _is_encodable(item.text):
                yield item


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return bool(text.strip())


def _with_heading(document: Document, copy: int) -> Document:
    gap = "\n\n" if document.layout is Layout.WRAPPED else "\n"
    text = f"This is copy {copy} of document {document.index}.{gap}{document.text}"
    return Document(document.source, document.index, text, document.layout)


def _write(documents: Sequence[Document], copies: int, directory: Path) -> BenchmarkText:
    directory.mkdir(parents=True)
    sentences_file = directory / "sentences.txt"
    count = 0
    with sentences_file.open("w", encoding="utf-8") as file:
        for sentences in _split(documents):
            count += len(sentences)
            file.write("\n".join([*sentences, "", ""]))
    files = list(_write_raw(documents, directory))
    return BenchmarkText(
        inputs=tuple(f"{input_format}:{pattern}" for input_format, pattern in files),
        sentences_file=str(sentences_file),
        size=sum(len(document.text.encode()) for document in documents),
        documents=len(documents),
        sentences=count,
        copies=copies,
    )


def _write_raw(documents: Sequence[Document], directory: Path) -> Iterator[tuple[str, str]]:
    """Writes documents by layout: books a file each, others in one file; gives the format and glob of each kind."""
    for layout, input_format in _FORMAT_OF.items():
        texts = [document.text for document in documents if document.layout is layout]
        if not texts:
            continue
        contents: Iterable[str] = texts if layout is Layout.WRAPPED else ["\n\n".join(texts)]
        (directory / input_format).mkdir()
        for number, content in enumerate(contents):
            (directory / input_format / f"{number:06d}.txt").write_bytes(content.encode())
        yield input_format, f"{directory / input_format}/*.txt"


def _split(documents: Iterable[Document]) -> Iterator[list[str]]:
    splitter = SentenceSplitter(SentencesSettings())
    for document in documents:
        cleaned = clean_document(document)
        if isinstance(cleaned, Document):
            yield (split_lines if cleaned.layout is Layout.SENTENCES else splitter.split)(cleaned.text)
