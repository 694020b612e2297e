"""`train-vocab`: a WordPiece vocabulary from text."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
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
from mlm_data.records import Document, Reason, Rejection
from mlm_data.storage import Storage
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
from pipelines.stage_display import Stage, StageDisplay, stage_of_bytes
from pipelines.storage_choice import storage_for

EPILOG = """
The same text gives the same vocabulary, whatever the names and order of its files. Words are counted in bounded memory:
of more than two million distinct ones the rarest are forgotten, and there the order of the file names tells. Pieces are
learnt as byte-pair encoding does, most frequent pair first, and laid out as BERT's: [PAD] 0, [unused0..98], [UNK] 100,
[CLS] 101, [SEP] 102, [MASK] 103, characters, longer pieces.

examples:
  train-vocab --input 'books/*.txt' --output vocab.txt
  train-vocab --input 'lines:news/*.txt.gz' --output vocab.txt --vocab_size 50000 --no_do_lower_case

exit status: 0 done, 1 the run failed, 2 the command cannot be meant
"""

_CHARACTERS_BETWEEN_REPORTS = 1_000_000
_COUNTING, _LEARNING = stage_of_bytes("counting words"), Stage("learning pieces")


@dataclass(frozen=True, slots=True)
class Counted:
    """What was read: documents, those left out, words, and how often each occurs."""

    documents: int
    left_out: Mapping[Reason, int]
    words: int
    forgotten_up_to: int
    counts: Mapping[str, int]


def main(arguments: Sequence[str]) -> int:
    """Runs the program; gives its exit status."""
    corpora, settings = _parse(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    storage = storage_for([*corpora.input, settings.output])
    files = plan_inputs(corpora, storage)
    _refuse_output(settings.output, files)
    with _claim(settings.output, storage) as temporary:
        with StageDisplay(console) as display:
            counted = _count_words(files, corpora, settings, storage, display)
            if not counted.counts:
                console.print(f"no text was found in {len(files)} files ({_tell_left_out(counted)})")
                return FAILED
            wanted = settings.vocab_size - len(RESERVED_PIECES)
            try:
                learnt = _learn(counted, wanted, settings, display)
            except AlphabetTooLargeError as error:
                console.print(
                    f"--vocab_size {settings.vocab_size} leaves {wanted} pieces, but the characters alone take "
                    f"{error.needed}; raise it or lower --limit_alphabet"
                )
                return FAILED
        _warn(console, counted, learnt, settings)
        content = write_pieces([*learnt.alphabet, *learnt.merges])
        try:
            with storage.open_for_writing(temporary) as file:
                file.write(content)
            storage.rename(temporary, settings.output)
        except OSError as error:
            console.print(f"{settings.output} cannot be written: {error}", markup=False)
            return FAILED
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


def _refuse_output(path: str, files: Sequence[InputFile]) -> None:
    """Saves a text from being replaced by its own vocabulary."""
    if "://" not in path and Path(path).is_dir():
        raise SettingsError(f"--output {path} is a directory; expected the name of a file in it")
    # A path that is no local one resolves to something, too, and to the same for the same path.
    if Path(path).resolve() in {Path(file.path).resolve() for file in files}:
        raise SettingsError(f"--output {path} is one of the inputs and would replace it; expected another name")


@contextmanager
def _claim(path: str, storage: Storage) -> Iterator[str]:
    """Finds out that the output can be written, before the work is done; gives a name for it while it is not whole."""
    temporary = f"{path}.{secrets.token_hex(4)}.unfinished"  # of no other run; it never reaches the output
    try:
        storage.open_for_writing(temporary).close()
    except OSError as error:
        raise SettingsError(f"--output {path} cannot be written to: {error}") from error
    try:
        yield temporary
    finally:
        storage.delete(temporary)


def _count_words(
    files: Sequence[InputFile],
    corpora: CorporaSettings,
    settings: VocabularyTrainingSettings,
    storage: Storage,
    display: StageDisplay,
) -> Counted:
    counter = WordCounter(make_word_splitter(do_lower_case=settings.do_lower_case))
    display.begin(_COUNTING, sum(file.size for file in files))
    documents, left_out, read = 0, Counter[Reason](), 0
    for file in files:
        characters = shown = 0
        for item in _clean_documents(file, corpora, storage):
            if isinstance(item, Rejection):
                left_out[item.reason] += 1
                continue
            counter.add(item.text)
            documents += 1
            characters += len(item.text)
            if characters - shown > _CHARACTERS_BETWEEN_REPORTS:
                shown = characters
                display.reach(
                    _COUNTING, read + min(characters, file.size)
                )  # more characters than bytes, if it is compressed
        read += file.size
        display.reach(_COUNTING, read)
    counts = counter.counts()  # first, since it counts what is still waiting
    return Counted(documents, left_out, counter.words, counter.forgotten_up_to, counts)


def _clean_documents(file: InputFile, corpora: CorporaSettings, storage: Storage) -> Iterator[Document | Rejection]:
    for item in read_documents(file, corpora, storage):
        yield clean_document(item) if isinstance(item, Document) else item


def _learn(counted: Counted, wanted: int, settings: VocabularyTrainingSettings, display: StageDisplay) -> LearntPieces:
    display.begin(_LEARNING, wanted)
    learnt = learn_pieces(
        counted.counts,
        wanted,
        limit_alphabet=settings.limit_alphabet,
        on_progress=partial(display.reach, _LEARNING),
    )
    display.reach(_LEARNING, wanted)
    return learnt


def _warn(console: Console, counted: Counted, learnt: LearntPieces, settings: VocabularyTrainingSettings) -> None:
    if any(reason.is_failure for reason in counted.left_out):
        console.print(f"[yellow]warning:[/] not all input could be read ({_tell_left_out(counted)})")
    entries = len(RESERVED_PIECES) + len(learnt.alphabet) + len(learnt.merges)
    if entries < settings.vocab_size:
        console.print(
            f"[yellow]warning:[/] the text gives {entries} entries only, fewer than --vocab_size {settings.vocab_size}"
        )


def _tell_left_out(counted: Counted) -> str:
    reasons = ", ".join(f"{format_count(count)} {reason}" for reason, count in sorted(counted.left_out.items()))
    return f"{format_count(sum(counted.left_out.values()))} left out" + (f": {reasons}" if reasons else "")


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
        ("documents", f"{format_count(counted.documents)} ({_tell_left_out(counted)})"),
        ("words", f"{format_count(counted.words)}, {format_count(len(counted.counts))} distinct"),
        ("forgotten", f"words found up to {format_count(counted.forgotten_up_to)} times, for want of room"),
        ("entries", f"{format_count(len(vocabulary))}, of these {len(RESERVED_PIECES)} reserved"),
        ("alphabet", f"{format_count(len(learnt.alphabet))} pieces of one character"),
        ("tokens", f"{format_ratio(100 * tokens, counted.words)} for 100 words of this text"),
        ("unknown words", f"{format_share(unknown, counted.words)} of this text"),
    )
    for name, value in rows:
        if name != "forgotten" or counted.forgotten_up_to:
            table.add_row(name, value)
    console.print(table)
    console.print(f"sha256 {vocabulary.sha256}", soft_wrap=True)  # whole, to be copied


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


def entry() -> None:
    """The console script."""
    run_program(main)
