"""Large files in ranges: together they give what the whole file gives, and each takes its share of the work."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import apache_beam as beam
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlm_data.config import CorporaSettings, Settings
from mlm_data.corpora import FileRange, InputFile, cut_files, plan_inputs, read_documents, read_range
from mlm_data.records import Document, Reason, Rejection
from mlm_data.storage import LocalStorage
from mlm_data.transforms.dataset import MakePretrainingData
from mlm_data.vocabulary import Vocabulary
from pipelines.local_runner import local_runner, make_options
from tests.making import Memory, Pieces

REPOSITORY = Path(__file__).parents[1]
SAMPLES = REPOSITORY / "samples" / "corpus"
VOCABULARY = REPOSITORY / "vocab" / "en-uncased-30k.txt"

CUT_FORMATS = ("paragraphs", "lines", "sentences")
ENCODINGS = (
    *("utf-8", "latin-1", "cp1252", "koi8-r"),
    *("gbk", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "euc_jis_2004"),
    *("cp037", "utf-16", "utf-32", "utf-7", "hz", "iso2022_jp", "iso2022_kr"),  # these must not be cut
)
LINE_ENDS = (
    *(*["\n"] * 4, *["\n\n"] * 4, "\r\n", "\r\n\r\n", "\r", "\r\r", "\n\r"),
    *("\n \n", "\n\t \r\n", "\n\xa0\n", "\n\x0b\n"),
)
TEXT = ("w", "word", "éa", "語", "Ж", "\u2028", "\x85", "\ufeff", " ", "\t", "long " * 20)
# Characters that break off, shifts into other states, and bytes that are no text in some encoding.
BROKEN = (
    *(b"\xff", b"\x80", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\x81", b"\x8f", b"\x8f\xb0", b"\x800", b"\x810\x81"),
    *(b"\xa4\xd4A", b"\xa4\xd4\xa4", b"~{", b"~", b"+", b"+AGE", b"\x1b$B", b"\x1b$)C\x0e", b"\x00"),
)


@st.composite
def contents(draw: st.DrawFn) -> tuple[bytes, str]:
    """A file of lines, blank lines and damage, and its encoding."""
    encoding = draw(st.sampled_from(ENCODINGS))
    fragments = st.sampled_from([*LINE_ENDS, *TEXT]).map(lambda text: text.encode(encoding, "ignore"))
    blank = st.integers(98, 103).map(lambda size: ("\n" + " " * size + "\n").encode(encoding))
    mark = draw(st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b"\xff\xfe"]))
    return mark + b"".join(draw(st.lists(fragments | blank | st.sampled_from(BROKEN), max_size=15))), encoding


@given(
    content=contents(),
    input_format=st.sampled_from(CUT_FORMATS),
    range_bytes=st.integers(1, 60) | st.integers(60, 300),
    piece=st.sampled_from([5, 50, 1 << 20]),
    limit=st.sampled_from([120, 10_000]),
)
@example(content=(b" \n" * 9, "utf-8"), input_format="lines", range_bytes=2, piece=1, limit=99)
@example(content=(b" \n" * 9 + b"late", "utf-8"), input_format="paragraphs", range_bytes=2, piece=1, limit=99)
@example(content=(b"\x00\n\n\x00", "utf-8"), input_format="lines", range_bytes=1, piece=1, limit=99)
@settings(max_examples=250, deadline=None)
def test_all_ranges_together_give_what_the_whole_file_gives(*, content, input_format, range_bytes, piece, limit):
    data, encoding = content
    file, storage = planned("f", len(data), input_format), Memory({"f": data}, piece)
    corpora = CorporaSettings(encoding=encoding, max_document_bytes=limit)
    whole = [facts(item) for item in read_documents(file, corpora, storage)]
    ranges = cut_files([file], max(range_bytes, len(data) // 50))  # not thousands, to be done soon
    parts = [list(read_range(part, corpora, storage)) for part in ranges]
    assert [facts(item) for items in parts for item in items] == whole
    assert all([item.index for item in items] == list(range(len(items))) for items in parts)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"w\xa4\xd4\nw\n\nw\xa4\xd4A\n\nw", "euc_kr"),  # characters that break off at the end of a line
        (b"w\x8f\nw\n\nw\x8f\n\nw", "euc_jp"),
        (b"w\x810\nw\n\nw\x810\n\nw\x810\n", "gb18030"),
        (b"w~\nw\n\nw~\n\nw\n~{<:Ky\n<:Ky\n\n<:Ky~}\nw", "hz"),  # from here on, cutting at 0x0A would be wrong
        (b'w\n\x1b$B$"\n\n$"\n$"\x1b(B\nw', "iso2022_jp"),
        (b"\x1b$)Cw\n\nw\x0e0!\x0f\nw\n", "iso2022_kr"),
        (b"w+\nw\n\nw+\n\nw\nw", "utf-7"),
        (b"\x81\x0a\x82\x0a\x0a\x83\x25\x84\x25\x25\x85", "cp037"),
        ("\u0a0a w\nw\u0a0a\n\nw".encode("utf-16"), "utf-8"),
        (b"\xef\xbb\xbfw\n\n\xef\xbb\xbfw\n\xef\xbb\xbfw", "latin-1"),  # a byte order mark overrules, once
        *((b"w\n" + b" " * size + b"\nw\n\n \r\nw", "utf-8") for size in (99, 100, 101)),
        (b"\r\n\r\nw\r\n\r\nw\rw\r\rw\n\rw\n\n\n\nw\n", "utf-8"),
    ],
)
@pytest.mark.parametrize("input_format", CUT_FORMATS)
def test_ranges_of_any_size_give_what_the_whole_file_gives(input_format, data, encoding):
    storage, corpora = Memory({"f": data}, piece=3), CorporaSettings(encoding=encoding)
    file = planned("f", len(data), input_format)
    whole = [facts(item) for item in read_documents(file, corpora, storage)]
    for range_bytes in range(1, len(data)):
        parts = cut_files([file], range_bytes)
        assert [facts(item) for part in parts for item in read_range(part, corpora, storage)] == whole, range_bytes


def planned(name: str, size: int, input_format: str = "lines", limit: int | None = None) -> InputFile:
    return InputFile(name, size, 0.0, input_format, detected=False, limit=limit)


def facts(item: Document | Rejection) -> tuple[object, ...]:
    return (item.reason,) if isinstance(item, Rejection) else (item.text, item.layout, item.repairs)


def test_only_large_plain_files_of_many_documents_are_cut_and_rejections_say_where():
    assert [(part.source, part.size) for part in cut_files([planned("a", 199), planned("b", 201)], 100)] == [
        ("a", 199),
        ("b[0:100]", 100),
        ("b[100:200]", 100),
        ("b[200:201]", 1),
    ]
    whole = [planned("a.gz", 999), planned("a", 999, "text"), planned("a", 999, limit=5)]
    assert cut_files(whole, 100) == [FileRange.whole(file) for file in whole]
    data = b"12345\n" * 10 + b"1234567\n"
    corpora = CorporaSettings(max_document_bytes=6)
    items = [
        item
        for part in cut_files([planned("f", len(data))], 30)
        for item in read_range(part, corpora, Memory({"f": data}))
    ]
    assert [(item.source, item.index) for item in items[-4:]] == [
        *(("f[30:60]", i) for i in (2, 3, 4)),
        ("f[60:68]", 0),
    ]
    assert isinstance(items[-1], Rejection)


@pytest.mark.parametrize(
    ("input_format", "document"), [("lines", b"0123456789\n"), ("paragraphs", b"0123\n456\r\n\r\n")]
)
def test_every_range_has_its_share(input_format, document):
    data = document * 10_000
    parts = cut_files([planned("f", len(data), input_format)], len(data) // 10)
    counts = [len(list(read_range(part, CorporaSettings(), Memory({"f": data})))) for part in parts]
    assert sum(counts) == 10_000
    assert all(abs(count - 1000) <= 1 for count in counts)


@dataclass
class Counting(Memory):
    """Counts the bytes that are read."""

    read: list[int] = field(default_factory=list)

    def open_for_reading(self, path: str) -> BinaryIO:
        stream = Pieces(self.files[path], self.piece)
        read = stream.read
        stream.read = lambda size=-1: self._count(read(size))  # type: ignore[method-assign]
        return stream

    def _count(self, piece: bytes) -> bytes:
        self.read.append(len(piece))
        return piece


def test_a_document_longer_than_many_ranges_is_read_once():
    data = b"short\n\n" + b"long " * 1_000_000 + b"\n\nshort too"
    storage = Counting({"f": data}, piece=10_000)
    parts = cut_files([planned("f", len(data), "paragraphs")], 200_000)
    settings = CorporaSettings(max_document_bytes=1000)
    items = [list(read_range(part, settings, storage)) for part in parts]
    assert [[facts(item)[0] for item in some] for some in items if some] == [
        ["short", Reason.TOO_LONG],
        ["short too"],
    ]
    assert sum(storage.read) < 3 * len(data)  # once to find its end, once to find out that it goes on, and heads


def test_a_file_that_was_cut_short_since_it_was_planned_is_unreadable_where_it_is_missing():
    data = b"document\n" * 40
    parts = cut_files([planned("f", len(data))], 90)
    items = [list(read_range(part, CorporaSettings(), Memory({"f": data[:202]}))) for part in parts]
    assert [len(some) for some in items] == [10, 10, 3, 1]
    for some, end in zip(items[2:], (270, 360), strict=True):
        rejection = some[-1]
        assert isinstance(rejection, Rejection)
        assert (rejection.reason, rejection.source) == (Reason.UNREADABLE, f"f[{end - 90}:{end}]")
        assert f"the file ends before byte {end}" in rejection.detail


def test_a_file_in_ranges_gives_the_dataset_of_its_documents_in_files(tmp_path):
    reports = gzip.decompress((SAMPLES / "reports.paragraphs.txt.gz").read_bytes())
    articles = [path.read_bytes().replace(b"\n\n", b"\n") for path in sorted((SAMPLES / "articles").iterdir())]
    documents = [*reports.split(b"\n\n"), *articles]
    for name in ("many", "one", "same"):
        (tmp_path / name).mkdir()
    for number, document in enumerate(documents):
        (tmp_path / "many" / f"{number}.txt").write_bytes(document)
    for name in ("one", "same"):
        (tmp_path / name / "all.txt").write_bytes(b"\n\n".join(documents))
    expected = run(tmp_path / "many", 10**9, "files", 1)
    assert run(tmp_path / "one", 3000, "files", 1) == expected
    assert run(tmp_path / "same", 3000, "engine", 2) == expected


def run(directory, range_bytes: int, shuffle: str, processes: int) -> bytes:
    """Makes a dataset of the files in a directory; gives its manifest."""
    flags = {"input": [f"paragraphs:{directory}/*"], "vocab_file": str(VOCABULARY), "output_dir": f"{directory}/out"}
    settings = Settings.from_flags({**flags, "dupe_factor": 1, "num_shards": 3})
    files = plan_inputs(settings.corpora, LocalStorage())
    vocabulary = Vocabulary.load(str(VOCABULARY), LocalStorage())
    tokens_dir = f"{directory}/tokens" if shuffle == "files" else ""
    options = make_options([f"--direct_num_workers={processes}"], 0)
    with local_runner(options) as runner, beam.Pipeline(runner=runner, options=options) as pipeline:
        pipeline | MakePretrainingData(files, settings, vocabulary, tokens_dir, range_bytes)
    return (directory / "out" / "manifest.json").read_bytes()
