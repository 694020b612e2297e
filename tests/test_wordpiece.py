"""Room 4: the ids are those of BERT's tokenizer, on every input and from either engine."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mlm_data.config import WordpieceSettings
from mlm_data.records import Repair, SplitDocument
from mlm_data.storage import LocalStorage
from mlm_data.vocabulary import Vocabulary
from mlm_data.wordpiece import WordpieceTokenizer, make_word_splitter
from tests.making import SPECIALS

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "golden" / "wordpiece.json").read_text())
FILES = {"uncased": "en-uncased-30k.txt", "cased": "en-cased-30k.txt"}

# Every kind of character, and often what tokenizers stumble over: marks, brackets, CJK, controls, long words.
anything = st.characters(codec="utf-8")
tricky = st.sampled_from(
    ["[MASK]", "[CLS]", "##s", "e\u0301", "\u0130", "\u200d", "\u4e2d", "\uac00", "\u00df", "x" * 199, "y" * 201]
)
plain = st.sampled_from(["the", "The", " ", ",", "ing"])
texts = st.text(anything, max_size=60) | st.lists(tricky | plain | st.text(anything, max_size=5)).map("".join)


def golden_vocabulary(cases) -> Vocabulary:
    """Just the pieces that the golden cases expect, and the characters they are not made of."""
    pieces = dict.fromkeys(piece for _, expected in cases for piece in expected.split())
    return Vocabulary.parse("\n".join([*SPECIALS, *(piece for piece in pieces if piece != "[UNK]")]).encode(), "golden")


@pytest.fixture(scope="module", params=["uncased", "cased"])
def kind(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def vocabulary(kind) -> Vocabulary:
    return Vocabulary.load(str(HERE.parent / "vocab" / FILES[kind]), LocalStorage())


@pytest.fixture(scope="module")
def engines(kind, vocabulary) -> tuple[WordpieceTokenizer, WordpieceTokenizer]:
    settings = WordpieceSettings(do_lower_case=kind == "uncased")
    return tuple(WordpieceTokenizer(vocabulary, settings, engine) for engine in ("nanotoken", "tokenizers"))


@settings(deadline=None)
@given(texts)
@example("unaffordable, isn't it? ##s [MASK] " + "x" * 201)
def test_words_begin_where_pieces_do_not_begin_with_the_mark_of_continuation(kind, vocabulary, engines, text):
    ids, _ = engines[0].encode([text])
    begins = np.flatnonzero(~vocabulary.is_continuation[ids])
    words = ["".join(vocabulary.pieces[i].removeprefix("##") for i in word) for word in np.split(ids, begins)[1:]]
    expected = make_word_splitter(do_lower_case=kind == "uncased")(text)
    assert len(words) == len(expected)
    assert all(word in (wanted, "[UNK]") for word, wanted in zip(words, expected, strict=True))


@pytest.mark.parametrize("engine", ["nanotoken", "tokenizers"])
@pytest.mark.parametrize("case", ["uncased", "cased"])
def test_golden_cases_of_berts_rules(engine, case):
    vocabulary = golden_vocabulary(GOLDEN[case])
    tokenizer = WordpieceTokenizer(vocabulary, WordpieceSettings(do_lower_case=case == "uncased"), engine)
    ids, offsets = tokenizer.encode([text for text, _ in GOLDEN[case]])
    found = [" ".join(vocabulary.pieces[i] for i in ids[a:b]) for a, b in pairwise(offsets)]
    assert found == [expected for _, expected in GOLDEN[case]]


@given(st.lists(texts, max_size=4))
@example(["\ufffd", "", "\u0000", " "])
def test_the_fast_engine_equals_tokenizers_on_arbitrary_unicode(engines, sentences):
    (fast_ids, fast_offsets), (ids, offsets) = (engine.encode(sentences) for engine in engines)
    assert fast_offsets.tolist() == offsets.tolist()
    assert fast_ids.tolist() == ids.tolist()


@settings(deadline=None)
@given(texts)
def test_ids_are_those_of_the_bert_tokenizer_of_tokenizers(kind, vocabulary, engines, text):
    lower = kind == "uncased"
    text = text.replace("[", "(")  # the library's own finds literal special tokens
    # It also gives up at words of 100 characters, where BERT does at 200.
    assume(all(len(word) <= 100 for word in make_word_splitter(do_lower_case=lower)(text)))
    ids = {piece: number for number, piece in enumerate(vocabulary.pieces)}
    oracle = tokenizers.BertWordPieceTokenizer(ids, lowercase=lower)
    assert engines[0].encode([text])[0].tolist() == oracle.encode(text, add_special_tokens=False).ids


@given(st.lists(st.lists(texts, max_size=4), max_size=4))
def test_documents_are_cut_out_of_the_batch_as_they_went_in(engines, documents):
    split = [
        SplitDocument(bytes([i]) * 16, f"s{i}", i, sentences, (Repair.MOJIBAKE,))
        for i, sentences in enumerate(documents)
    ]
    for before, after in zip(split, engines[0].tokenize(split), strict=True):
        assert (after.key, after.source, after.index, after.repairs) == (
            *(before.key, before.source, before.index),
            before.repairs,
        )
        assert after.ids.dtype == np.uint16
        rows = [ids for ids in (engines[0].encode([text])[0].tolist() for text in before.sentences) if ids]
        offsets = after.sentence_offsets.tolist()
        assert [after.ids[a:b].tolist() for a, b in pairwise(offsets)] == rows


@pytest.mark.parametrize("engine", ["nanotoken", "tokenizers"])
def test_a_word_of_more_than_200_characters_is_unknown(engine):
    vocabulary = Vocabulary.parse("\n".join([*SPECIALS, "a", "##a"]).encode(), "small")
    _, offsets = WordpieceTokenizer(vocabulary, WordpieceSettings(), engine).encode(["a" * 200, "a" * 201])
    assert offsets.tolist() == [0, 200, 201]


def test_without_nanotoken_the_ids_are_the_same_and_a_warning_says_so(monkeypatch, caplog, kind, vocabulary, engines):
    monkeypatch.setitem(sys.modules, "nanotoken", None)  # as if it were not installed
    tokenizer = WordpieceTokenizer(vocabulary, WordpieceSettings(do_lower_case=kind == "uncased"))
    assert "nanotoken" in caplog.text
    assert tokenizer.encode(["The wanderings."])[0].tolist() == engines[0].encode(["The wanderings."])[0].tolist()
    with pytest.raises(ImportError):
        WordpieceTokenizer(vocabulary, WordpieceSettings(), "nanotoken")


def test_an_unknown_engine_is_refused(vocabulary):
    with pytest.raises(ValueError, match="expected one of auto, nanotoken, tokenizers"):
        WordpieceTokenizer(vocabulary, WordpieceSettings(), "fastest")
