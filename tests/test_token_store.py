"""Tokens in files: what is written comes back, bucket by bucket, however many buckets are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_data.config import SettingsError
from mlm_data.records import Repair, TokenizedDocument
from mlm_data.shards import assign_bucket
from mlm_data.storage import LocalStorage
from mlm_data.token_store import TokenStore, claim_store

STORAGE = LocalStorage()

documents_of = st.lists(
    st.builds(
        TokenizedDocument,
        key=st.binary(min_size=16, max_size=16),
        source=st.text(max_size=5),
        index=st.integers(0, 2**32 - 1),
        ids=st.lists(st.integers(0, 2**16 - 1), max_size=9).map(lambda ids: np.array(ids, np.uint16)),
        sentence_offsets=st.lists(st.integers(0, 9), max_size=4).map(lambda ends: np.array(ends, np.uint32)),
        repairs=st.sets(st.sampled_from(list(Repair))).map(lambda some: tuple(r for r in Repair if r in some)),
    ),
    max_size=6,
)


def as_tuples(documents):
    return sorted((d.key, d.source, d.index, d.ids.tolist(), d.sentence_offsets.tolist(), d.repairs) for d in documents)


@given(st.lists(documents_of, max_size=3), st.integers(1, 600), st.integers(0, 2**32))
def test_every_document_comes_back_in_its_bucket(tmp_path_factory, files, buckets, seed):
    store = TokenStore(STORAGE, str(tmp_path_factory.mktemp("store")), seed)
    names = [f"tokens-{number}" for number in range(len(files))]
    for name, documents in zip(names, files, strict=True):
        store.write(name, documents)
    written = [document for documents in files for document in documents]
    for bucket in {0, buckets - 1, *(assign_bucket(seed, document.key, buckets) for document in written)}:
        own = [document for document in written if assign_bucket(seed, document.key, buckets) == bucket]
        assert as_tuples(store.read(names, bucket, buckets)) == as_tuples(own)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_ids_keep_their_width(tmp_path, dtype):
    store = TokenStore(STORAGE, str(tmp_path), 1)
    document = TokenizedDocument(bytes(16), "s", 0, np.array([1, 2], dtype), np.array([0, 2], np.uint32))
    store.write("tokens", [document])
    (found,) = store.read(["tokens"], 0, 1)
    assert found.ids.dtype == dtype


def test_a_store_is_known_by_its_fingerprint(tmp_path):
    assert claim_store(STORAGE, str(tmp_path / "new"), "this") is False
    assert claim_store(STORAGE, str(tmp_path / "new"), "this") is True
    with pytest.raises(SettingsError, match="other text or settings"):
        claim_store(STORAGE, str(tmp_path / "new"), "that")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="no tokens of ours"):
        claim_store(STORAGE, str(tmp_path), "this")
