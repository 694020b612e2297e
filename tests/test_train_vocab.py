"""Vocabularies are learnt by the algorithm that is named, and from the text alone."""

from __future__ import annotations

import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st

from mlm_data.config import SettingsError
from mlm_data.storage import LocalStorage
from mlm_data.vocabulary import Vocabulary
from mlm_data.vocabulary_training import AlphabetTooLargeError, WordCounter, learn_pieces
from mlm_data.wordpiece import make_word_splitter
from pipelines.train_vocab import main
from tests.making import SPECIALS

SAMPLES = Path(__file__).parents[1] / "samples" / "corpus"


def learn_naively(counts: dict[str, int], size: int, limit_alphabet: int) -> list[str]:
    """Byte-pair encoding as published, with ## before what continues a word: all pairs counted anew for each piece."""
    occurrences = Counter("".join(word * count for word, count in counts.items()))
    kept = sorted(sorted(occurrences, key=lambda character: (-occurrences[character], character))[:limit_alphabet])
    continuing = sorted({f"##{character}" for word in counts for character in word[1:] if character in kept})
    pieces = [*kept, *continuing]
    learnable = [word for word, count in counts.items() if count >= 2 and set(word) <= set(kept)]
    spellings = {word: [word[0], *(f"##{character}" for character in word[1:])] for word in learnable}
    while len(pieces) < size:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, symbols in spellings.items():
            for pair in pairwise(symbols):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pieces.index(pair[0]), pieces.index(pair[1])))
        piece = best[0] + best[1].removeprefix("##")
        pieces.append(piece)
        spellings = {word: merge(symbols, best, piece) for word, symbols in spellings.items()}
    return pieces


def merge(symbols: list[str], pair: tuple[str, str], piece: str) -> list[str]:
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] = piece
        else:
            merged.append(symbol)
    return merged


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=10), st.integers(1, 6), min_size=1, max_size=12),
    st.integers(6, 50),
    st.integers(1, 3),
)
@example({"aaaaa": 2, "aaa": 2}, 20, 3)  # pairs overlap
def test_pieces_are_those_of_byte_pair_encoding_ties_going_to_the_lower_number(counts, size, limit_alphabet):
    learnt = learn_pieces(counts, size, limit_alphabet=limit_alphabet)
    assert [*learnt.alphabet, *learnt.merges] == learn_naively(counts, size, limit_alphabet)


def test_pieces_are_those_of_the_tokenizers_library():
    # Its trainer learns from words that occur once, ours does not: here every word occurs twice.
    text = "\n".join(path.read_text() for path in sorted((SAMPLES / "articles").iterdir()) for _ in range(2))
    counter = WordCounter(make_word_splitter(do_lower_case=True))
    counter.add(text)
    library = tokenizers.BertWordPieceTokenizer(lowercase=True)
    library.train_from_iterator([text], vocab_size=1_500, min_frequency=0, special_tokens=["[UNK]"])
    theirs = set(library.get_vocab()) - {"[UNK]"}
    learnt = learn_pieces(counter.counts(), len(theirs), limit_alphabet=1000)
    # It breaks ties at random, so that some pieces differ from run to run.
    assert len({*learnt.alphabet, *learnt.merges} & theirs) > 0.95 * len(theirs)


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
        (["--input=a.txt", "--output=a.txt/v.txt"], "cannot be written to"),
        (["--input=a.txt", "--output=directory"], "is a directory"),
        (["--input=*.txt", "--output=directory/../a.txt"], "is one of the inputs"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_work(tmp_path, monkeypatch, arguments, message):
    (tmp_path / "a.txt").write_text("to be or not to be")
    (tmp_path / "directory").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as refusal:
        main(arguments)
    assert message in str(refusal.value)
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "directory"}
    assert (tmp_path / "a.txt").read_text() == "to be or not to be"


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [("", [], "no text"), ("abcdef abcdef", ["--vocab_size=110"], "leaves 6 pieces, but the characters")],
)
def test_what_cannot_be_done_is_status_1(tmp_path, capsys, text, flags, message):
    (tmp_path / "a.txt").write_text(text)
    assert main([f"--input={tmp_path}/a.txt", f"--output={tmp_path}/v.txt", *flags]) == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_unreadable_input_is_told_by_reason(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("to be or not to be")
    (tmp_path / "b.txt").write_bytes(bytes(range(256)) * 8)
    assert main([f"--input={tmp_path}/?.txt", f"--output={tmp_path}/vocabulary"]) == 0
    assert "1 left out: 1 binary" in " ".join(capsys.readouterr().err.split())
