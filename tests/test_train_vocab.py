"""Vocabularies are learnt by the algorithm that is named, and from the text alone."""

from __future__ import annotations

import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_data.config import SettingsError
from mlm_data.storage import LocalStorage
from mlm_data.vocabulary import Vocabulary
from mlm_data.vocabulary_training import AlphabetTooLargeError, WordCounter, learn_pieces
from mlm_data.wordpiece import make_word_splitter
from pipelines.train_vocab import main
from tests.making import SPECIALS

SAMPLES = Path(__file__).parents[1] / "samples" / "corpus"


def learn_naively(counts: dict[str, int], size: int) -> list[set[str]]:
    """Byte-pair encoding as published, with ## before what continues a word: at each step, the pieces that may be next.

    They are several where pairs are equally frequent; the one that `learn_pieces` took is followed.
    """
    words = {word: [word[0], *(f"##{character}" for character in word[1:])] for word in counts if counts[word] >= 2}
    learnt = learn_pieces(counts, size, limit_alphabet=1000)
    allowed = []
    for piece in learnt.merges:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, symbols in words.items():
            for pair in pairwise(symbols):
                pairs[pair] += counts[word]
        best = {pair for pair, count in pairs.items() if count == max(pairs.values())}
        merged = {pair: pair[0] + pair[1].removeprefix("##") for pair in pairs}
        allowed.append({merged[pair] for pair in best})
        chosen = min((pair for pair in best if merged[pair] == piece), default=None)
        if chosen is None:
            return allowed
        words = {word: merge(symbols, chosen, piece) for word, symbols in words.items()}
    return allowed


def merge(symbols: list[str], pair: tuple[str, str], piece: str) -> list[str]:
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] = piece
        else:
            merged.append(symbol)
    return merged


@given(st.dictionaries(st.text("abc", min_size=1, max_size=8), st.integers(1, 1000), min_size=1, max_size=12))
def test_each_piece_is_the_most_frequent_pair_of_its_time(counts):
    learnt = learn_pieces(counts, 40, limit_alphabet=1000)
    allowed = learn_naively(counts, 40)
    assert len(allowed) == len(learnt.merges)
    for piece, choices in zip(learnt.merges, allowed, strict=True):
        assert piece in choices


@given(st.dictionaries(st.text("abcd", min_size=1, max_size=6), st.integers(1, 9), min_size=1), st.randoms())
def test_the_order_of_words_does_not_matter(counts, random):
    shuffled = list(counts.items())
    random.shuffle(shuffled)
    assert learn_pieces(dict(shuffled), 40, limit_alphabet=3) == learn_pieces(counts, 40, limit_alphabet=3)


def test_a_size_below_the_alphabet_is_refused():
    with pytest.raises(AlphabetTooLargeError) as refusal:
        learn_pieces({"abc": 5}, 2, limit_alphabet=10)
    assert refusal.value.needed == 5  # a, b, c and, inside words, ##b and ##c


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=5))
def test_words_are_counted_as_the_tokenizer_cuts_them(documents):
    split = make_word_splitter(do_lower_case=True)
    counter = WordCounter(split)
    for document in documents:
        counter.add(" ".join(document.split()))
    expected = Counter(word for document in documents for word in split(" ".join(document.split())))
    assert counter.counts() == {word: count for word, count in expected.items() if len(word) <= 200}
    assert counter.words == expected.total()


def test_counting_holds_a_bounded_number_of_words_and_keeps_the_frequent_ones():
    counter = WordCounter(str.split, max_words=1000)
    for start in range(0, 60_000, 100):
        counter.add("common " * 100 + " ".join(f"rare{number}" for number in range(start, start + 100)))
        assert len(counter.counts()) <= 1000
    assert counter.counts()["common"] == 60_000
    assert counter.forgotten_up_to > 0


@pytest.mark.parametrize("flags", [[], ["--no_do_lower_case", "--limit_alphabet=60"]])
def test_the_program_gives_the_same_bytes_for_the_same_text(tmp_path, flags):
    shutil.copytree(SAMPLES / "articles", tmp_path / "renamed")
    for number, path in enumerate(sorted((tmp_path / "renamed").iterdir(), reverse=True)):
        path.rename(path.with_name(f"{number:03d}.txt"))
    inputs = {"one.txt": f"{SAMPLES}/articles/*", "other.txt": f"{tmp_path}/renamed/*"}
    for name, pattern in inputs.items():
        assert main([f"--input={pattern}", f"--output={tmp_path / name}", "--vocab_size=1500", *flags]) == 0
    assert (tmp_path / "one.txt").read_bytes() == (tmp_path / "other.txt").read_bytes()
    vocabulary = Vocabulary.load(str(tmp_path / "one.txt"), LocalStorage())
    assert len(vocabulary) == 1500
    assert vocabulary.pieces[:104] == SPECIALS
    assert any(piece.lower() != piece for piece in vocabulary.pieces[104:]) is bool(flags)
    assert {path.name for path in tmp_path.iterdir()} == {*inputs, "renamed"}


def test_too_little_text_gives_fewer_entries_and_says_so(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("to be or not to be")
    assert main([f"--input={tmp_path}/a.txt", f"--output={tmp_path}/v.txt"]) == 0
    assert "fewer than --vocab_size 30522" in " ".join(capsys.readouterr().err.split())
    vocabulary = Vocabulary.load(f"{tmp_path}/v.txt", LocalStorage())
    assert {"to", "be"} < set(vocabulary.pieces)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input=nowhere/*", "--output=v.txt"], "nowhere/*"),
        (["--input=a.txt"], "--output is missing"),
        (["--input=a.txt", "--output=v.txt", "--vocab_size=50"], "expected more than the 104 reserved ones"),
        (["--input=a.txt", "--output=/proc/v.txt"], "cannot be written to"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_work(tmp_path, monkeypatch, arguments, message):
    (tmp_path / "a.txt").write_text("to be or not to be")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as refusal:
        main(arguments)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [("", [], "no text"), ("abcdef abcdef", ["--vocab_size=110"], "leaves 6 pieces, but the characters")],
)
def test_what_cannot_be_done_is_status_1(tmp_path, capsys, text, flags, message):
    (tmp_path / "a.txt").write_text(text)
    assert main([f"--input={tmp_path}/a.txt", f"--output={tmp_path}/v.txt", *flags]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "v.txt").exists()
