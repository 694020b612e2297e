"""Room 2: documents to clean text."""
# ruff: noqa: RUF001 (look-alike characters are what this is about)

from __future__ import annotations

import re
import textwrap
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_data.cleaning import clean_document, document_key
from mlm_data.records import Document, Layout, Reason, Rejection, Repair

SHARED = Path(__file__).parents[2] / "shared" / "data"


def clean(text: str, layout: Layout = Layout.PARAGRAPHS, repairs: tuple[Repair, ...] = ()) -> Document:
    cleaned = clean_document(Document("f", 3, text, layout, repairs))
    assert isinstance(cleaned, Document)
    return cleaned


def unwrapped(text: str) -> list[str]:
    return clean(text, Layout.WRAPPED).text.split("\n")


# --- any text ---------------------------------------------------------------------------------------------------------

# What tends to go wrong, glued together in any order, beside any text at all.
awkward = st.sampled_from(
    [
        *"aB. \n\t\r\f\v\x00\x1b\x1d\x85\x92\xa0\xad-\u2028\u2029\u200b\u200c\u3000\ufeff\ud83d\ude00",
        *("é", "e\u0301", "Ã©", "Ã", "Â", "â€œ", "â\x80\x85", "√©", "Р±", "語", "[MASK]", "\n\n", "word " * 9),
    ]
)
any_text = st.text(max_size=200) | st.lists(awkward | st.characters(), max_size=60).map("".join)


@given(text=any_text, layout=st.sampled_from(Layout), repairs=st.sampled_from([(), (Repair.WINDOWS_1252,)]))
@settings(max_examples=500, deadline=None)
def test_clean_text_is_clean_and_stays_so(text, layout, repairs):
    cleaned = clean_document(Document("f", 3, text, layout, repairs))
    if isinstance(cleaned, Rejection):
        assert (cleaned.reason, cleaned.source, cleaned.index) == (Reason.EMPTY, "f", 3)
        cleaned.excerpt.encode()
        return
    lines = cleaned.text.split("\n")
    assert all(line == " ".join(line.split()) != "" for line in lines)
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\xa0\xad\u2028\u2029\u200b\u2060\u3000\ufeff\ud800-\udfff]", cleaned.text
    )
    assert unicodedata.is_normalized("NFC", cleaned.text)
    assert cleaned.layout is (Layout.SENTENCES if layout is Layout.SENTENCES else Layout.PARAGRAPHS)
    assert list(cleaned.repairs) == [repair for repair in Repair if repair in cleaned.repairs]
    assert set(repairs) <= set(cleaned.repairs)
    assert clean_document(cleaned) == cleaned
    assert len(document_key(cleaned.text)) == 16


@given(text=any_text.filter(lambda text: "\r" not in text), line_end=st.sampled_from(["\r\n", "\r"]))
@settings(deadline=None)
def test_line_ends_do_not_matter(text, line_end):
    for layout in Layout:
        one = clean_document(Document("f", 3, text, layout))
        other = clean_document(Document("f", 3, text.replace("\n", line_end), layout))
        assert (one == other) if isinstance(one, Document) else isinstance(other, Rejection)


# --- characters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  two\t words\xa0\xa0wide\u3000 \n\n \n", "two words wide"),
        ("one\vtwo\u2028three\u2029four\x85five\fstill", "one\ntwo\nthree\nfour\nfive still"),
        ("zero\u200bwidth \ufeffmark soft\u00adhyphen word\u2060joiner", "zerowidth mark softhyphen wordjoiner"),
        ("می\u200cخواهم क्\u200dष", "می\u200cخواهم क्\u200dष"),
        ("cafe\u0301 A\u200b\u030a \u212b", "café Å Å"),
        ("ﬁne ① ｆｕｌｌ “quotes” &amp; it’s… ½", "ﬁne ① ｆｕｌｌ “quotes” &amp; it’s… ½"),
        ("1 @-@ 2 <unk> = Title =", "1 @-@ 2 <unk> = Title ="),
        ("NÃO à l’été »… « Été »\xa0: Größe ÆØÅ ¿Qué?", "NÃO à l’été »… « Été » : Größe ÆØÅ ¿Qué?"),
    ],
)
def test_text_is_normalized_but_not_rewritten(text, expected):
    cleaned = clean(text)
    assert (cleaned.text, cleaned.repairs) == (expected, ())


@pytest.mark.parametrize(
    ("text", "expected", "repair"),
    [
        ("a\x00b\x1cc\x7f\x1b[1m", "ab c[1m", Repair.CONTROL_CHARACTERS),
        ("lone \ud800 and \ude00, pair \ud83d\ude00", "lone \ufffd and \ufffd, pair 😀", Repair.LONE_SURROGATES),
        ("the caf\u00c3\u00a9 \u00e2\u20ac\u0153here\u00e2\u20ac\x9d", "the café “here”", Repair.MOJIBAKE),
        ("it\x92s \x93so\x94\x85", "it’s “so”…", Repair.MOJIBAKE),
        ("voil\u00c3\xa0 tout", "voilà tout", Repair.MOJIBAKE),
        ("\u00c3\x85ngstr\u00c3\u00b6m", "Ångström", Repair.MOJIBAKE),
        ("caf\u221a\u00a9 na\u221a\u00d8ve", "café naïve", Repair.MOJIBAKE),
        ("in den H\u0413\u00a4nden", "in den Händen", Repair.MOJIBAKE),
        ("\u0420\u045f\u0421\u0402\u0420\u0451\u0420\u0406\u0420\u00b5\u0421\u201a", "Привет", Repair.MOJIBAKE),
        ("the [MASK] of [CLS]", "the [MASK] of [CLS]", Repair.LITERAL_SPECIAL_TOKENS),
    ],
)
def test_repairs_are_made_and_named(text, expected, repair):
    cleaned = clean(text, repairs=(Repair.UNDECODABLE_BYTES,))
    assert (cleaned.text, set(cleaned.repairs)) == (expected, {Repair.UNDECODABLE_BYTES, repair})


def test_mojibake_in_one_line_leaves_the_others():
    assert clean("été\nÃ©tÃ©\nété").text == "été\nété\nété"


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\xad\x00"])
@pytest.mark.parametrize("layout", Layout)
def test_nothing_left_is_rejected(text, layout):
    rejection = clean_document(Document("f", 3, text, layout))
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.source, rejection.index) == (Reason.EMPTY, "f", 3)


def test_given_sentences_keep_their_lines():
    text = "The first one wraps \u2028inside,\vtwice.\n\nThe second\ngoes on here.\r\n"
    assert clean(text, Layout.SENTENCES).text == "The first one wraps inside, twice.\nThe second\ngoes on here."


def test_key_is_that_of_the_clean_text():
    one, other = clean("Cafe\u0301  noir.\r\n\r\nSecond.\r\n"), clean("\ufeffCaf\u00e9 noir.\nSecond.")
    assert document_key(one.text) == document_key(other.text) != document_key(one.text + ".")


# --- unwrapping -------------------------------------------------------------------------------------------------------

PARAGRAPHS = [
    "The harbour at Sulmeer froze over in the second week of January, which had not happened since the year of the "
    "great comet, and by Sunday the whole town was out upon the ice. There were booths with hot chestnuts; there was a "
    "well-known fiddler from Amblecote, who played with his gloves on; and there was the mayor, wearing his chain.",
    "Nobody had thought of the ferry. It lay where the frost had caught it, a hundred yards from the quay, and "
    "on board were eleven passengers, two horses and a crate of oranges for the hotel. “We shall be quite all right,” "
    "said the captain, a Mr. Voss of Lower Hembury, to anyone who asked him.",
    "They walked ashore on the third day.",
    "What became of the oranges is told differently in every house. In ours it was always maintained that the horses "
    "had eaten them, peel and all, and that one of the two lived to be thirty in consequence; but my grandmother, who "
    "had been on the ferry, used to smile at this and say nothing whatever.",
]
VERSE = ["The tide goes out, the tide comes in,", "The gulls complain above,", "The nets are old, the ropes are thin,"]


def wrap(paragraph: str, width: int, indent: str = "") -> str:
    return textwrap.fill(paragraph, width, initial_indent=indent)


@pytest.mark.parametrize("width", [40, 45, 55, 60, 65, 72, 79, 80, 100, 120])
def test_wrapped_paragraphs_are_restored(width):
    assert unwrapped("\n\n".join(wrap(paragraph, width) for paragraph in PARAGRAPHS)) == PARAGRAPHS


@pytest.mark.parametrize("width", [60, 72, 80])
def test_without_blank_lines_a_short_line_ends_a_paragraph(width):
    got = unwrapped("\n".join(wrap(paragraph, width) for paragraph in PARAGRAPHS))
    assert " ".join(got) == " ".join(PARAGRAPHS)
    assert "They walked ashore on the third day." in got


@pytest.mark.parametrize("indent", [" ", "    ", "\t"])
def test_indented_first_lines_begin_paragraphs(indent):
    got = unwrapped("\n".join(wrap(paragraph, 72, indent).expandtabs(1) for paragraph in PARAGRAPHS))
    assert got == PARAGRAPHS


@pytest.mark.parametrize("separator", ["\n", "\n\n", "\n \n\n"])
def test_one_paragraph_a_line_stays(separator):
    assert unwrapped(separator.join(PARAGRAPHS * 30)) == PARAGRAPHS * 30


def test_each_part_of_a_book_is_read_in_its_own_way():
    wide, narrow = ("\n".join(wrap(paragraph, width) for paragraph in PARAGRAPHS * 20) for width in (76, 52))
    got = unwrapped("\n".join([*PARAGRAPHS * 40, wide, narrow]))
    assert got[:160] == PARAGRAPHS * 40
    assert " ".join(got[160:]) == " ".join(PARAGRAPHS * 40)
    assert sum(line in PARAGRAPHS for line in got[160:]) > 120


@pytest.mark.parametrize(
    "lines",
    [
        VERSE,
        ["CHAPTER THE FIRST", "In Which the Ice Comes to Sulmeer"],
        ["To the Harbour Master, Sulmeer", "12 Quay Street", "Sulmeer"],
        ["Contents", "1. The Ice ........................... 7", "2. The Ferry ........................ 31"],
        ["You will need:", "* a pair of skates and somebody to hold on to while you are", "* hot chestnuts"],
        ["- a pair of skates and somebody to hold on to while you are young", "- hot chestnuts for the way"],
        ["The Ferry and the Oranges, a Story for the Winter Months of the Year", "=" * 70, "by one who was there"],
    ],
)
def test_verse_lists_and_headings_keep_their_lines(lines):
    around = [wrap(paragraph, 72) for paragraph in PARAGRAPHS]
    assert unwrapped("\n\n".join([*around, "\n".join(lines), *around])) == [*PARAGRAPHS, *lines, *PARAGRAPHS]
    assert unwrapped("\n".join(lines)) == lines


def test_items_of_a_list_are_joined_but_not_with_each_other():
    items = [f"{number}. {paragraph}" for number, paragraph in enumerate(PARAGRAPHS, 1)]
    assert unwrapped("\n".join(textwrap.fill(item, 60, subsequent_indent="   ") for item in items)) == items


def test_prose_may_have_a_dash_or_a_number_at_the_beginning_of_a_line():
    text = wrap(PARAGRAPHS[0], 72) + "\n\nIt was not, as we had been told again and again by all the people\n- and "
    text += "who could doubt them? - on the 11th but only as late as the morning\n12. of January that it thawed"
    assert len(unwrapped(text)) == 2


def test_hyphens_stay_and_soft_hyphens_go():
    lines = [
        "They had gone down to the quay that morning to see the sec-",
        "ond-hand ferry, which lay there with its anchor still frost-",
        "bitten, and to talk to its captain - a man who never said -",
        'not even in winter - more than "ay" and who for all that wait\u00ad',
        "ed patiently.",
    ]
    assert unwrapped("\n".join([*lines, "", wrap(PARAGRAPHS[0], 60)]))[0] == (
        "They had gone down to the quay that morning to see the sec-ond-hand ferry, which lay there with its anchor "
        "still frost-bitten, and to talk to its captain - a man who never said - not even in winter - more than "
        '"ay" and who for all that waited patiently.'
    )


def test_ideographs_are_joined_without_a_space():
    paragraph = "渡船在七點一刻離開東碼頭、從來沒有人見過它等人、也沒有人問過為什麼。船長姓王、今年六十三歲、話很少。"
    text = "\n\n".join("\n".join(textwrap.wrap(paragraph, 20)) for _ in range(3))
    assert unwrapped(text) == [paragraph] * 3


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"real corpora are not at {SHARED}")
def test_real_books_are_unwrapped():
    for path in sorted((SHARED / "gutenberg").glob("*.txt")):
        text = path.read_bytes().decode("utf-8", "replace")
        got = unwrapped(text)
        filled = [line for line in text.splitlines() if line.strip()]
        assert len(got) < len(filled) / 2, path
        assert sum(line[0].islower() for line in got) < len(got) / 100, path  # sentences cut in two
        assert " ".join(" ".join(filled).split()).replace("- ", "-") == " ".join(got).replace("- ", "-"), path
    for name in ("Galsworthy_Man_1906.txt", "Lawrence_Serpent_1926.txt"):  # one paragraph a line
        text = (SHARED / "novels" / name).read_text("utf-8-sig")
        assert unwrapped(text) == [" ".join(line.split()) for line in text.splitlines() if line.strip()]
