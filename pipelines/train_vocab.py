"""`train-vocab`: a WordPiece vocabulary from text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from mlm_data.cleaning import clean_document
from mlm_data.config import (
    CorporaSettings,
    SettingsError,
    VocabularyTrainingSettings,
    WordpieceSettings,
    make_section,
)
from mlm_data.corpora import InputFile, plan_inputs, read_documents
from mlm_data.records import Document, Rejection
from mlm_data.storage import LocalStorage, Storage
from mlm_data.summary import format_count, format_ratio, format_share
from mlm_data.vocabulary import Vocabulary
from mlm_data.vocabulary_training import (
    RESERVED_PIECES,
    AlphabetTooLargeError,
    LearntPieces,
    WordCounter,
    learn_pieces,
    write_pieces,
)
from mlm_data.wordpiece import WordpieceTokenizer, make_word_splitter
from pipelines.command_line import DONE, FAILED, FlagParser, nearest_flag, run_program

EPILOG = """
The same text gives the same vocabulary, whatever the names and order of its files. Words are counted in bounded memory;
the pieces are learnt as byte-pair encoding does, most frequent pair first, and laid out as BERT's: [PAD] 0,
[unused0..98], [UNK] 100, [CLS] 101, [SEP] 102, [MASK] 103, characters, longer pieces.

examples:
  train-vocab --input 'books/*.txt' --output vocab.txt
  train-vocab --input 'lines:news/*.txt.gz' --output vocab.txt --vocab_size 50000 --no_do_lower_case

exit status: 0 done, 1 the run failed, 2 the command cannot be meant
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was read: documents, those left out, words, and how often each occurs."""

    documents: int
    rejected: int
    words: int
    forgotten_up_to: int
    counts: Mapping[str, int]


def main(arguments: Sequence[str]) -> int:
    """Runs the program; gives its exit status."""
    corpora, settings = _parse(arguments)
    console, storage = (
        Console(stderr=True, highlight=False, soft_wrap=True),
        _storage([*corpora.input, settings.output]),
    )
    files = plan_inputs(corpora, storage)
    _check_writable(settings.output, storage)
    with _progress(console) as progress:
        counted = _count_words(files, corpora, settings, storage, progress)
        if not counted.counts:
            console.print(f"no text was found in {len(files)} files ({counted.rejected} documents left out)")
            return FAILED
        wanted = settings.vocab_size - len(RESERVED_PIECES)
        try:
            learnt = _learn(counted, wanted, settings, progress)
        except AlphabetTooLargeError as error:
            console.print(
                f"--vocab_size {settings.vocab_size} leaves {wanted} pieces, but the characters alone take "
                f"{error.needed}; raise it or lower --limit_alphabet"
            )
            return FAILED
    pieces = [*learnt.alphabet, *learnt.merges]
    if len(pieces) < wanted:
        console.print(
            f"[yellow]warning:[/] the text gives {len(RESERVED_PIECES) + len(pieces)} entries only, fewer than "
            f"--vocab_size {settings.vocab_size}"
        )
    content = write_pieces(pieces)
    _write(settings.output, content, storage)
    _print_results(Console(highlight=False), Vocabulary.parse(content, settings.output), settings, counted, learnt)
    return DONE


def _parse(arguments: Sequence[str]) -> tuple[CorporaSettings, VocabularyTrainingSettings]:
    parser = FlagParser("""Makes a WordPiece vocabulary in BERT's layout from raw text.""", EPILOG)
    parser.add_section("input", CorporaSettings)
    parser.add_section("vocabulary", VocabularyTrainingSettings)
    namespace, unknown = parser.parse_flags(arguments)
    if unknown:
        parser.error(nearest_flag(unknown[0], parser.flag_names()))
    flags = vars(namespace)
    return make_section(CorporaSettings, flags), make_section(VocabularyTrainingSettings, flags)


def _storage(paths: Sequence[str]) -> Storage:
    if not any("://" in path for path in paths):
        return LocalStorage()
    from mlm_data.transforms.storage import BeamStorage  # noqa: PLC0415 (Beam is slow to import)

    return BeamStorage()


def _count_words(
    files: Sequence[InputFile],
    corpora: CorporaSettings,
    settings: VocabularyTrainingSettings,
    storage: Storage,
    progress: Progress,
) -> Counted:
    counter = WordCounter(make_word_splitter(do_lower_case=settings.do_lower_case))
    task = progress.add_task("counting words", total=sum(file.size for file in files))
    documents = rejected = 0
    for file in files:
        for item in _clean_documents(file, corpora, storage):
            if isinstance(item, Rejection):
                rejected += 1
                continue
            counter.add(item.text)
            documents += 1
        progress.advance(task, file.size)
    counts = counter.counts()  # first, since it counts what is still waiting
    return Counted(documents, rejected, counter.words, counter.forgotten_up_to, counts)


def _clean_documents(file: InputFile, corpora: CorporaSettings, storage: Storage) -> Iterator[Document | Rejection]:
    for item in read_documents(file, corpora, storage):
        yield clean_document(item) if isinstance(item, Document) else item


def _learn(counted: Counted, wanted: int, settings: VocabularyTrainingSettings, progress: Progress) -> LearntPieces:
    task = progress.add_task("learning pieces", total=wanted)
    learnt = learn_pieces(
        counted.counts,
        wanted,
        limit_alphabet=settings.limit_alphabet,
        on_progress=lambda pieces: progress.update(task, completed=pieces),
    )
    progress.update(task, completed=wanted)
    return learnt


def _check_writable(path: str, storage: Storage) -> None:
    """Finds out before the work is done."""
    try:
        storage.open_for_writing(f"{path}.unfinished").close()
        storage.delete(f"{path}.unfinished")
    except OSError as error:
        raise SettingsError(f"--output {path} cannot be written to: {error}") from error


def _write(path: str, content: bytes, storage: Storage) -> None:
    """Writes a file that gets its name once it is whole."""
    with storage.open_for_writing(f"{path}.unfinished") as file:
        file.write(content)
    storage.rename(f"{path}.unfinished", path)


def _print_results(
    console: Console,
    vocabulary: Vocabulary,
    settings: VocabularyTrainingSettings,
    counted: Counted,
    learnt: LearntPieces,
) -> None:
    tokens, unknown = _measure(vocabulary, settings, counted.counts)
    table = Table(title=f"Vocabulary in {settings.output}", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    rows = (
        ("documents", f"{format_count(counted.documents)} ({format_count(counted.rejected)} left out)"),
        ("words", f"{format_count(counted.words)}, {format_count(len(counted.counts))} distinct"),
        ("forgotten", f"words found up to {format_count(counted.forgotten_up_to)} times, for want of room"),
        ("entries", f"{format_count(len(vocabulary))}, of these {len(RESERVED_PIECES)} reserved"),
        ("alphabet", f"{format_count(len(learnt.alphabet))} pieces of one character"),
        ("tokens", f"{format_ratio(100 * tokens, counted.words)} for 100 words of this text"),
        ("unknown words", f"{format_share(unknown, counted.words)} of this text"),
        ("sha256", vocabulary.sha256),
    )
    for name, value in rows:
        if name != "forgotten" or counted.forgotten_up_to:
            table.add_row(name, value)
    console.print(table)


def _measure(
    vocabulary: Vocabulary, settings: VocabularyTrainingSettings, counts: Mapping[str, int]
) -> tuple[int, int]:
    """How many tokens the counted words come to, and how many of the words are [UNK]."""
    tokenizer = WordpieceTokenizer(vocabulary, WordpieceSettings(do_lower_case=settings.do_lower_case))
    ids, offsets = tokenizer.encode(list(counts))
    tokens = unknown = 0
    for count, start, end in zip(counts.values(), offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        tokens += count * (end - start)
        unknown += count * (end - start == 1 and ids[start] == vocabulary.unk_id)
    return tokens, unknown


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def entry() -> None:
    """The console script."""
    run_program(main)
