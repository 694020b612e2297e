import functools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import sentencex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlm_data import sentences
from mlm_data.cleaning import clean_document
from mlm_data.config import SentencesSettings, SettingsError
from mlm_data.records import Document
from mlm_data.sentences import SentenceSplitter, split_lines

SPLITTERS = ("sentencex", "icu", "newline")
TREEBANK = Path(__file__).parents[2] / "shared" / "data" / "ud" / "en_ewt-ud-dev.conllu"
# What rules look at, over and over, beside characters of every kind.
MARKS = [
    "Mr. ",
    "D.C",
    "e.g",
    "No",
    ". ",
    "! ",
    "?",
    "…",
    "。",
    '"',
    "'",
    "“",
    "”",
    "„",
    "`",
    "(",
    ")",
    "«",
    "「",
    "1.",
    "a)",
]


def cleaned(text: str) -> str:
    document = clean_document(Document("x.txt", 0, text))
    return document.text if isinstance(document, Document) else ""


TEXTS = (
    st.lists(st.sampled_from([*MARKS, "😀", " ", "\xa0", "\n"]) | st.characters(), max_size=60)
    .map("".join)
    .map(cleaned)
)


def split(text: str, splitter: str = "sentencex", language: str = "en") -> list[str]:
    return SentenceSplitter(SentencesSettings(splitter, language)).split(text)


def squeeze(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("splitter", SPLITTERS)
@settings(max_examples=150, deadline=None)
@given(text=TEXTS, language=st.sampled_from(["en", "de", "ru", "ja", "hi"]))
@example(text="😀. 𐌰b. 𐍈! C", language="en")
def test_nothing_but_white_space_is_lost(splitter: str, text: str, language: str) -> None:
    result = split(text, splitter, language)
    assert squeeze("".join(result)) == squeeze(text)
    assert all(sentence and sentence == sentence.strip() and "\n" not in sentence for sentence in result)


@pytest.mark.parametrize("splitter", SPLITTERS)
@settings(max_examples=100, deadline=None)
@given(paragraphs=st.lists(TEXTS.map(lambda text: text.replace("\n", " ")), max_size=5))
def test_paragraphs_are_split_each_by_itself(splitter: str, paragraphs: list[str]) -> None:
    alone = [sentence for paragraph in paragraphs for sentence in split(paragraph, splitter)]
    assert split("\n".join(paragraphs), splitter) == alone


@pytest.mark.parametrize("splitter", ["sentencex", "icu"])
@pytest.mark.parametrize(
    "sentences",
    [
        ["Mr. Poe met Dr. J. Smith of Washington, D.C. on Monday.", "It was 5 p.m. already!", "Who knew?"],
        ["See (87 Stat. 788; D.C. Official Code § 1-204.12; 134 Stat. 195) and No. 5.", "It cost 3.50 euros.", "Yes."],
        ['"Who?" he asked.', '"Nobody!" cried she.', "They left."],
        ["😀 is an emoji.", "𐌰 is a letter 😀.", "That is all 😀!"],
    ],
)
def test_english_sentences_are_found(splitter: str, sentences: list[str]) -> None:
    assert split(" ".join(sentences), splitter) == sentences


@pytest.mark.parametrize("code", ["de", "DE", "deu"])
def test_language_code_may_be_written_in_any_way(code: str) -> None:
    expected = ["Er kam am 3. Oktober zu Dr. Meier.", "Sie kam bzw. ging."]
    assert split(" ".join(expected), "sentencex", code) == expected


@pytest.mark.parametrize(
    ("opening", "sentence", "space", "closing"),
    [
        ('He said: "', "Mr. Poe of Washington, D.C. has seen it.", " ", '"'),
        ("It holds (", "the act was approved on 24 December (87 Stat. 788). In D.C. Code it stands.", " ", ")"),
        ("「", "彼はとても長い話をした。", "", "」"),
    ],
)
def test_long_quotes_and_brackets_are_cut_inside(opening: str, sentence: str, space: str, closing: str) -> None:
    text = opening + space.join([sentence] * 30) + closing
    result = split(text, language="ja" if closing == "」" else "en")
    assert len(result) >= 30
    assert not [piece for piece in result[:-1] if re.search(r"(Mr|Stat|D\.C)\.$", piece)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["He smiled.", '"Nay, my son.', "It will rain.", '"Go, then.', 'Farewell."'],
        ["He went.", 'Can you get over it?"', '"I assure you that."'],
    ],
)
def test_quotes_that_do_not_pair_stay_with_the_word_they_touch(sentences: list[str]) -> None:
    assert split(" ".join(sentences)) == sentences


def test_a_panic_is_met_by_icu_and_told_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BaseException, match="char boundary") as panic:
        sentencex.segment("en", "A\xa0.")
    assert not isinstance(panic.value, Exception)

    monkeypatch.setattr(sentences, "_warn_of_panic", functools.cache(sentences._warn_of_panic.__wrapped__))
    monkeypatch.setattr(sentencex, "segment", _raiser(panic.value))
    assert split("One. Two.\nThree! Four?") == ["One.", "Two.", "Three!", "Four?"]
    assert len(caplog.records) == 1

    monkeypatch.setattr(sentencex, "segment", _raiser(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        split("One. Two.")


def _raiser(error: BaseException) -> Callable[[str, str], list[str]]:
    def segment(language: str, text: str) -> list[str]:
        raise error

    return segment


@pytest.mark.parametrize("unit", ["“", "a", "He came. ", "A. ", '"Oh. ', "。"])
def test_sentencex_is_never_given_a_text_it_would_take_minutes_for(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    segment = sentencex.segment
    monkeypatch.setattr(sentencex, "segment", lambda code, text: sizes.append(len(text)) or segment(code, text))
    text = unit * 30_000
    assert squeeze("".join(split(text))) == squeeze(text)
    assert max(sizes, default=0) <= 10_000


def test_lines_are_sentences_where_the_text_says_so() -> None:
    text = "Mr. Poe came. He sat.\n\n  then\u2028he \xa0 rose \r\n \n"
    assert split_lines(text) == split(text, "newline") == ["Mr. Poe came. He sat.", "then\u2028he \xa0 rose"]


@pytest.mark.parametrize(
    ("splitter", "language", "cure"),
    [
        ("sentencex", "english", "such as en"),
        ("sentencex", "th", "--sentence_splitter newline"),
        ("icu", "lao", "--sentence_splitter newline"),
        ("sentencex", "km", "--sentence_splitter icu"),
    ],
)
def test_a_language_the_splitter_cannot_split_is_refused(splitter: str, language: str, cure: str) -> None:
    with pytest.raises(SettingsError, match=cure):
        SentenceSplitter(SentencesSettings(splitter, language))
    assert split("a. b", "newline", language) == ["a. b"]


@pytest.mark.skipif(not TREEBANK.exists(), reason="the treebank English EWT of Universal Dependencies is not here")
@pytest.mark.parametrize("splitter", ["sentencex", "icu"])
def test_english_web_text_is_split_better_than_at_full_stops(splitter: str) -> None:
    splitter_of_en = SentenceSplitter(SentencesSettings(splitter))
    assert _f1(splitter_of_en.split) > max(0.84, _f1(lambda text: text.split(". ")) + 0.04)


def _f1(cut: Callable[[str], Sequence[str]]) -> float:
    """F1 over the boundaries inside paragraphs, placed by the characters before them."""
    right = found = true = 0
    for paragraph in _treebank_paragraphs():
        gold, got = _boundaries(paragraph), _boundaries(cut(" ".join(paragraph)))
        right, found, true = right + len(gold & got), found + len(got), true + len(gold)
    return 2 * right / (found + true)


def _boundaries(parts: Sequence[str]) -> set[int]:
    ends = [len(squeeze("".join(parts[:count]))) for count in range(1, len(parts))]
    return set(ends)


def _treebank_paragraphs() -> Iterator[list[str]]:
    paragraph: list[str] = []
    for line in TREEBANK.read_text(encoding="utf-8").splitlines():
        if line.startswith(("# newdoc", "# newpar")) and paragraph:
            yield paragraph
            paragraph = []
        elif line.startswith("# text = "):
            paragraph.append(line.removeprefix("# text = "))
    yield paragraph
