"""The table of ids: read as google-research/bert numbers it, refused where it cannot be one."""

from __future__ import annotations

import hashlib
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from mlm_data.config import SettingsError
from mlm_data.storage import LocalStorage
from mlm_data.vocabulary import Vocabulary, case_warning, join_pieces
from tests.making import SPECIALS, vocabulary_content

REPOSITORY = Path(__file__).parents[1]
OURS = ("en-uncased-30k.txt", "en-cased-30k.txt")
BERTS = REPOSITORY.parent / "shared" / "data" / "vocab"


def load(path: Path) -> Vocabulary:
    return Vocabulary.load(str(path), LocalStorage())


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_pieces_are_numbered_by_line(line_end, last):
    pieces = [*SPECIALS, "word", "##s", "a b"]
    vocabulary = Vocabulary.parse((line_end.join(pieces) + last).encode(), "v")
    assert vocabulary.pieces == tuple(pieces)
    ids = (vocabulary.pad_id, vocabulary.unk_id, vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id)
    assert ids == (0, 100, 101, 102, 103)
    assert vocabulary.is_continuation.nonzero()[0].tolist() == [105]
    assert vocabulary.ordinary_ids.tolist() == [104, 105, 106]


def test_a_vocabulary_survives_the_journey_to_a_worker():
    vocabulary = Vocabulary.parse(vocabulary_content(), "v")
    arrived = pickle.loads(pickle.dumps(vocabulary))
    assert arrived == vocabulary
    assert arrived.content == vocabulary_content()
    assert arrived.pieces == vocabulary.pieces


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "[PAD], [UNK], [CLS], [SEP], [MASK]"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nword\n", "lacks [MASK]"),
        (vocabulary_content() + b"w1\n", "w1"),
        (b"\x00\x01\xff" * 100, "v"),
        (b"<s>\n<pad>\n</s>\n<unk>\n<mask>\n", "lacks [PAD]"),
    ],
)
def test_what_is_no_vocabulary_is_refused_by_name(content, message):
    with pytest.raises(SettingsError) as refusal:
        Vocabulary.parse(content, "v")
    assert message in str(refusal.value)


def test_ids_are_as_narrow_as_they_can_be():
    assert Vocabulary.parse(vocabulary_content(65_536 - 104), "v").id_dtype == np.uint16
    assert Vocabulary.parse(vocabulary_content(65_537 - 104), "v").id_dtype == np.uint32


def test_pieces_are_joined_as_people_read_them():
    assert join_pieces(["wander", "##ing", "##s", "in", "the", "##re"]) == "wanderings in there"


@pytest.mark.parametrize("name", OURS)
def test_our_vocabularies_are_what_their_readme_says(name):
    vocabulary = load(REPOSITORY / "vocab" / name)
    readme = (REPOSITORY / "vocab" / "README.md").read_text()
    assert dict(re.findall(r"\| `([\w-]+\.txt)` \|.*`([0-9a-f]{64})` \|", readme))[name] == vocabulary.sha256
    assert vocabulary.sha256 == hashlib.sha256(vocabulary.content).hexdigest()
    assert len(vocabulary) == 30_522
    assert vocabulary.pieces[:104] == SPECIALS


@pytest.mark.parametrize(("name", "lower"), [(OURS[0], True), (OURS[1], False)])
def test_a_vocabulary_for_the_other_case_is_noticed(name, lower):
    vocabulary = load(REPOSITORY / "vocab" / name)
    assert case_warning(vocabulary, do_lower_case=lower) is None
    assert "do_lower_case" in (case_warning(vocabulary, do_lower_case=not lower) or "")


@pytest.mark.skipif(not BERTS.exists(), reason=f"BERT's own vocabularies are not at {BERTS}")
@pytest.mark.parametrize(
    ("name", "lower", "size"),
    [
        ("bert-base-uncased.txt", True, 30_522),
        ("bert-base-cased.txt", False, 28_996),
        ("bert-base-multilingual-cased.txt", False, 119_547),
    ],
)
def test_berts_own_vocabularies_are_read_and_their_case_is_judged_right(name, lower, size):
    vocabulary = load(BERTS / name)
    assert len(vocabulary) == size
    assert case_warning(vocabulary, do_lower_case=lower) is None
    assert case_warning(vocabulary, do_lower_case=not lower) is not None
    unusual = [vocabulary.pieces[i] for i in np.setdiff1d(np.arange(size), vocabulary.ordinary_ids)]
    assert {piece for piece in unusual if not re.fullmatch(r"\[unused\d+\]", piece)} <= {
        *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<S>", "<T>")
    }
