"""Room 1: bytes to documents."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_data.config import CorporaSettings, SettingsError
from mlm_data.corpora import InputFile, InputSpec, parse_input, plan_inputs, read_documents
from mlm_data.corpora.detection import format_by_content
from mlm_data.records import Document, Layout, Reason, Rejection, Repair
from mlm_data.storage import LocalStorage
from tests.making import Memory

SHARED = Path(__file__).parents[2] / "shared" / "data"
SAMPLES = Path(__file__).parents[1] / "samples" / "corpus"
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}
FORMATS = ("text", "paragraphs", "lines", "sentences")


def read(content: bytes, input_format: str = "text", name: str = "f", piece: int = 1 << 20, **flags: object):
    file = InputFile(name, len(content), 0.0, input_format, detected=False)
    return list(read_documents(file, CorporaSettings(**flags), Memory({name: content}, piece)))  # type: ignore[arg-type]


def texts(items: list[Document | Rejection]) -> list[str]:
    assert all(isinstance(item, Document) for item in items), items
    return [item.text for item in items]


def reasons(items: list[Document | Rejection]) -> list[Reason | None]:
    return [item.reason if isinstance(item, Rejection) else None for item in items]


def plan(files: dict[str, bytes], *inputs: str, sizes: dict[str, int] | None = None, **flags: object):
    return plan_inputs(CorporaSettings(input=inputs, **flags), Memory(files, sizes=sizes or {}))  # type: ignore[arg-type]


# --- documents --------------------------------------------------------------------------------------------------------

words = st.text("abcXYZ .é語\u2028\x0b\x0c", min_size=1, max_size=12).filter(lambda line: line == line.strip())
corpora = st.lists(st.lists(words, min_size=1, max_size=4), min_size=1, max_size=5)


@given(
    documents=corpora,
    input_format=st.sampled_from(FORMATS),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    blank=st.sampled_from(["", " ", "\t\xa0"]),
    last_line_end=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    suffix=st.sampled_from(list(COMPRESS)),
    members=st.integers(1, 3),
    piece=st.sampled_from([1, 7, 1 << 20]),
)
@settings(max_examples=150, deadline=None)
def test_documents_are_the_same_however_the_file_is_written(
    *, documents, input_format, line_end, blank, last_line_end, encoding, suffix, members, piece
):
    written = line_end + line_end.join(
        line for lines in documents for line in (*lines, blank, *([blank] * (len(lines) % 2)))
    )
    written = written.rstrip(" \t\xa0\r\n") + line_end * last_line_end
    content = written.encode(encoding)
    cut = [len(content) * member // members for member in range(members + 1)]
    compressed = b"".join(COMPRESS[suffix](content[start:end]) for start, end in pairwise(cut))

    got = texts(read(compressed, input_format, "f" + suffix, piece))

    expected = {
        "text": [written.replace(line_end, "\n").strip()],
        "lines": [line for lines in documents for line in lines],
    }.get(input_format, ["\n".join(lines) for lines in documents])
    assert [text.strip() for text in got] == expected


@given(
    content=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    input_format=st.sampled_from(FORMATS),
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1", "shift_jis"]),
    suffix=st.sampled_from(list(COMPRESS)),
    limit=st.sampled_from([1, 20, 1000]),
    piece=st.sampled_from([1, 1 << 20]),
)
@settings(max_examples=200, deadline=None)
def test_no_content_raises_an_error(*, content, input_format, encoding, suffix, limit, piece):
    got = read(content, input_format, "f" + suffix, piece, encoding=encoding, max_document_bytes=limit)
    assert [item.index for item in got] == list(range(len(got)))
    assert got
    assert not any(isinstance(item, Document) and (not item.text.strip() or "\r" in item.text) for item in got)
    if encoding == "utf-8":
        for item in got:
            (item.text if isinstance(item, Document) else item.excerpt).encode()  # no lone surrogates


def test_layouts():
    got = [read(b"a b", input_format)[0] for input_format in FORMATS]
    assert [document.layout for document in got if isinstance(document, Document)] == [
        Layout.WRAPPED,
        Layout.PARAGRAPHS,
        Layout.PARAGRAPHS,
        Layout.SENTENCES,
    ]


# --- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("piece", [5, 1 << 20])
def test_damaged_files_give_the_documents_before_the_damage(suffix, piece):
    documents = [f"document {number} {'x' * number}" for number in range(40)]
    whole = COMPRESS[suffix]("\n".join(documents[:20]).encode() + b"\n") + COMPRESS[suffix](
        "\n".join(documents[20:]).encode()
    )
    first_member = len(COMPRESS[suffix]("\n".join(documents[:20]).encode() + b"\n"))
    counts = []
    for length in range(1, len(whole), 7):
        *before, last = read(whole[:length], "lines", "f" + suffix, piece)
        assert texts(before) == documents[: len(before)]
        if length == first_member:
            assert isinstance(last, Document)
            continue
        assert isinstance(last, Rejection)
        assert (last.reason, last.index) == (Reason.UNREADABLE, len(before))
        assert "complete file" in last.detail
        counts.append(len(before))
    assert max(counts) >= 20
    assert counts == sorted(counts)


def test_a_file_that_cannot_be_opened_is_unreadable(tmp_path):
    missing = InputFile(str(tmp_path / "gone"), 0, 0.0, "text", detected=False)
    (rejection,) = read_documents(missing, CorporaSettings(), LocalStorage())
    assert isinstance(rejection, Rejection)
    assert rejection.reason is Reason.UNREADABLE
    assert "FileNotFoundError" in rejection.detail


@pytest.mark.parametrize("content", [b"\x7fELF\x02\x00", bytes(range(1, 256)) * 20, "plain".encode("utf-16-le")])
def test_binary_files_are_rejected(content):
    assert reasons(read(content, "lines")) == [Reason.BINARY]


@pytest.mark.parametrize("input_format", FORMATS)
@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \r\n\t\n\xc2\xa0"])
def test_files_without_text_are_rejected_once(content, input_format):
    assert reasons(read(content, input_format)) == [Reason.EMPTY]


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [3, 1 << 20])
def test_long_documents_are_rejected_and_the_next_are_read(piece):
    content = "ok\n\né234567890\n\n12\n345678901\n\nfine".encode()
    got = read(content, "paragraphs", piece=piece, max_document_bytes=10)
    assert reasons(got) == [None, Reason.TOO_LONG, Reason.TOO_LONG, None]
    assert [getattr(item, "excerpt", "") for item in got[1:3]] == ["é234567890", "12\n345678901"]
    assert reasons(read(content, "lines", piece=piece, max_document_bytes=9)) == [None, Reason.TOO_LONG, *[None] * 3]
    assert reasons(read(content, "text", piece=piece, max_document_bytes=9)) == [Reason.TOO_LONG]
    assert reasons(read(b"123456789", "text", piece=piece, max_document_bytes=9)) == [None]
    assert reasons(read(b"1234\n6789\n\n1234\n67890", "paragraphs", piece=piece, max_document_bytes=9)) == [
        None,
        Reason.TOO_LONG,
    ]


@pytest.mark.parametrize("input_format", FORMATS)
def test_long_documents_are_never_in_memory(input_format):
    content = zstandard.ZstdCompressor().compress(b"x" * 100_000_000)
    tracemalloc.start()
    try:
        got = read(content, input_format, "f.zst", max_document_bytes=1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reasons(got) == [Reason.TOO_LONG]
    assert peak < 50_000_000


def test_documents_come_as_they_are_asked_for():
    content = b"a line of a document\n" * 1_000_000
    storage = Memory({"f": content})
    opened = storage.open_for_reading("f")
    storage.open_for_reading = lambda path: opened  # type: ignore[method-assign]
    file = InputFile("f", len(content), 0.0, "lines", detected=False)
    documents = read_documents(file, CorporaSettings(), storage)
    next(documents)
    assert opened.tell() < 1_000_000


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(1, [1]), (2, [2]), (3, [None, 1]), (4, [None, None, 1]), (5, [None, None, 2]), (9, [None, None, None])],
)
def test_limit_is_shared_out_in_the_order_of_paths(limit, expected):
    files = {"b.lines.txt": b"3", "c.lines.txt": b"4\n5", "a.lines.txt": b"1\n\n2"}
    planned = plan(files, "*", limit=limit)
    assert [file.limit for file in planned] == expected
    everything = [read_documents(file, CorporaSettings(), Memory(files)) for file in planned]
    assert "".join(text for items in everything for text in texts(list(items))) == "12345"[:limit]


def test_limit_passes_over_rejected_files():
    planned = plan({"a.lines.txt": b"", "b.lines.txt": b"1\n2"}, "*", limit=1)
    assert [(file.path, file.limit) for file in planned] == [("a.lines.txt", None), ("b.lines.txt", 1)]


# --- encodings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "encoding", "text", "repairs"),
    [
        ("Zürich", "utf-8", "Zürich", ()),
        ("Z\xfcrich \x93so\x94 \x81", "utf-8", "Zürich “so” \ufffd", (Repair.WINDOWS_1252,)),
        ("é".encode().decode("latin-1") + " und \xfc", "utf-8", "é und \ufffd", (Repair.UNDECODABLE_BYTES,)),
        ("\xe2\x82", "utf-8", "\u00e2\u201a", (Repair.WINDOWS_1252,)),
        ("Z\xfcrich", "latin-1", "Zürich", ()),
        ("\x83e\x83X\x83g \xff", "shift_jis", "テスト \ufffd", (Repair.UNDECODABLE_BYTES,)),
        ("\xef\xbb\xbf\xc3\xa9", "latin-1", "é", ()),
        ("\xff\xfeA\x00", "utf-8", "A", ()),
        ("\xff\xfe\x00\x00A\x00\x00\x00", "utf-8", "A", ()),
        ("\x00A", "utf-16-be", "A", ()),
        ("\xff\xfeA\x00\x00\xd8", "utf-16", "A\ufffd", (Repair.UNDECODABLE_BYTES,)),
    ],
)
def test_encodings(content, encoding, text, repairs):
    raw = content.encode() if content == "Zürich" and encoding == "utf-8" else content.encode("latin-1")
    (document,) = read(raw, encoding=encoding)
    assert isinstance(document, Document)
    assert (document.text, document.repairs) == (text, repairs)


def test_encoding_is_judged_for_each_document():
    got = read("Zürich\nGen\udce8ve\nNîmes \udce8".encode("utf-8", "surrogateescape"), "lines")
    assert texts(got) == ["Zürich", "Genève", "Nîmes \ufffd"]


# --- plans ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("law/*.txt", InputSpec("law/*.txt", "auto")),
        ("paragraphs:law/*.txt", InputSpec("law/*.txt", "paragraphs")),
        ("auto:x", InputSpec("x", "auto")),
        ("gs://bucket/x", InputSpec("gs://bucket/x", "auto")),
        ("lines:gs://bucket/x", InputSpec("gs://bucket/x", "lines")),
        ("C:\\x", InputSpec("C:\\x", "auto")),
        ("./text:x", InputSpec("./text:x", "auto")),
    ],
)
def test_parse_input(argument, expected):
    assert parse_input(argument, "auto") == expected


def test_every_file_is_planned_once_in_order():
    files = {"b.txt": b"b", "a.lines.txt.gz": b"", "./b.txt": b"b"}
    planned = plan(files, "b*", "*.gz", "./b.txt", "lines:b.txt")
    assert [(file.path, file.input_format, file.detected) for file in planned] == [
        ("a.lines.txt.gz", "lines", True),
        ("b.txt", "lines", False),
    ]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((), "no --input"),
        (("lines:",), "expected a file or glob"),
        (("c*",), r"c\* matches no file; expected a glob"),
        (("paragraph:a",), "did you mean the format paragraphs"),
        (("lines:a", "text:*"), "a is given twice, as lines and as text"),
        (("big",), "big has 64000001 bytes.*--input paragraphs:big"),
        (("big.gz",), "big.gz has 16000001 bytes.*compressed"),
    ],
)
def test_impossible_plans_say_why(inputs, message):
    files = {"a": b"a", "big": b"A line.", "big.gz": gzip.compress(b"A line.")}
    with pytest.raises(SettingsError, match=message):
        plan(files, *inputs, sizes={"big": 64_000_001, "big.gz": 16_000_001})


def test_large_files_are_taken_where_the_format_is_plain_or_there_is_no_text():
    files = {"big.lines.txt": b"A line.", "binary": b"\x00", "damaged.gz": b"\x1f\x8b\x08"}
    planned = plan(files, "*", sizes=dict.fromkeys(files, 10**9))
    assert [file.input_format for file in planned] == ["lines", "text", "text"]


# --- auto -------------------------------------------------------------------------------------------------------------

SENTENCE = "The ferry leaves the eastern pier at a quarter past seven, and nobody has ever seen it wait."
ARTICLE = """The keeper of the light

He had come to the island for one winter and had stayed for
twenty, and in all that time the lamp had failed only once.
On that night he rowed out with a lantern.

Nobody thanked him for it, least of all the captain, who had
been asleep and who maintained to the end of his life that he
would have seen the rocks by himself.
"""
STANZA = (
    "The tide goes out, the tide comes in,\nThe gulls complain above,\nThe nets are old, the ropes are thin,\nAnd so"
)
IDEOGRAPHS = "渡船在七點一刻離開東碼頭、從來沒有人見過它等人。"


@pytest.mark.parametrize(
    ("expected", "content"),
    [
        ("text", ARTICLE),
        ("text", ARTICLE.replace("\n\n", "\n")),
        ("text", ARTICLE * 40),
        ("text", "\n\n".join(["CHAPTER"] + [f"{SENTENCE} {SENTENCE}"] * 50)),  # a book, one paragraph a line
        ("text", "\n\n\n".join(["CHAPTER\n\n\n" + "\n".join([f"{SENTENCE} {SENTENCE}"] * 20)] * 9)),  # its chapters
        ("text", "\n".join([f"{SENTENCE} {SENTENCE}", "“No.”"] * 50)),  # a book without blank lines
        ("text", "\n\n".join([STANZA] * 30)),
        ("text", "\n".join(["short"] * 1000)),
        (
            "text",
            "\n\n".join(
                ["\n".join(["渡船在七點一刻離開東碼頭、從來沒有", "人見過它等人、也沒有人問過為什麼。"] * 5)] * 9
            ),
        ),
        ("paragraphs", "\n\n".join(["\n".join([f"{SENTENCE} {SENTENCE}"] * 3)] * 20)),
        ("paragraphs", "\n\n".join(["\n".join([IDEOGRAPHS * 9] * 3)] * 20)),
        ("paragraphs", "\n\n".join([f"TITLE OF IT\n{SENTENCE} {SENTENCE}\nwhich is to say:\n{SENTENCE}"] * 20)),
        ("sentences", "\n\n".join(["\n".join([SENTENCE, "“It never waits,” said Mr. Brown."] * 3)] * 20)),
        ("sentences", "\n\n".join(["\n".join([IDEOGRAPHS] * 8)] * 20)),
        ("lines", "\n".join([" ".join([SENTENCE] * 3)] * 50)),
    ],
)
def test_format_by_content(expected, content):
    data = content.encode()
    assert format_by_content(data[: 1 << 16], "utf-8", complete=len(data) <= 1 << 16) == expected


def test_auto_on_the_sample_corpus():
    planned = plan_inputs(CorporaSettings(input=(str(SAMPLES / "**" / "*.*"),)), LocalStorage())
    assert len(planned) > 20
    for file in planned:
        stated = [name for name in FORMATS if f".{name}." in Path(file.path).name]
        assert file.input_format == (stated or ["text"])[0], file
    unnamed = {f"sample{number}": Path(file.path).read_bytes() for number, file in enumerate(planned)}
    by_content = plan(unnamed, "*")
    got = {file.path: file.input_format for file in by_content}
    for number, file in enumerate(planned):
        if Path(file.path).name != "notes.lines.txt" and not file.path.endswith(".gz"):  # too few lines to be sure
            assert got[f"sample{number}"] == file.input_format, file


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"real corpora are not at {SHARED}")
def test_auto_on_real_corpora():
    globs = tuple(str(SHARED / pattern) for pattern in ("novels/*", "gutenberg/*", "wikitext-2/*", "law/*"))
    planned = plan_inputs(CorporaSettings(input=globs), LocalStorage())
    assert len(planned) == 64
    assert {file.path for file in planned if file.input_format != "text"} == {str(SHARED / "law" / "dc_law_10mb.txt")}
    assert {file.input_format for file in planned} == {"text", "paragraphs"}
