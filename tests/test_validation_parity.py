"""Datasets at par with google-research/bert: its biases are no violation, all the rest is; and its law is checked."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from mlm_data.config import Settings
from mlm_data.records import EncodedBatch, InstanceBatch
from tests.datasets import (
    Dataset,
    check,
    detail,
    encode_columns,
    make_dataset,
    masked_batches,
    not_made,
    violated,
)
from tests.making import random_documents

BIASED = {"random tokens", "label 1 is true", "label share", "label share by shard", "label share by length"}
BIASED |= {"label share by |A|", "label share by |B|", "surface probe"}
SHOWN = BIASED - {"label 1 is true", "surface probe"}  # for the one documents are needed, for the other more pairs


@pytest.fixture(scope="module")
def biased_dataset(tmp_path_factory) -> Dataset:
    """With documents of a single sentence too: nobody may write to it."""
    documents = random_documents(400, sentences=(1, 30), words=(1, 20))
    return make_dataset(tmp_path_factory.mktemp("parity"), documents, parity="bert")


def test_biases_are_no_violation_where_they_are_asked_for(biased_dataset):
    found = check(biased_dataset, tokens_dir=str(biased_dataset.tokens_dir))
    assert violated(found) == set(), found.summary()
    reasons = not_made(found)
    assert {name for name, reason in reasons.items() if "--parity bert" in reason} == BIASED
    assert set(reasons) == BIASED | {"statistics", "documents", "whole words", "word starts"}


@pytest.fixture
def biased(biased_dataset: Dataset, tmp_path: Path) -> Dataset:
    """A copy of it, to be spoilt."""
    shutil.copytree(biased_dataset.directory, tmp_path / "out")
    return dataclasses.replace(biased_dataset, directory=tmp_path / "out")


def test_biases_show_where_nobody_says_that_they_are_meant(biased):
    biased.write(parity="none")
    assert violated(check(biased)) == SHOWN


def test_a_random_pair_that_is_said_to_be_true_is_caught_with_the_documents(biased):
    columns = biased.columns(3)
    row = int(np.flatnonzero(columns["next_sentence_labels"][:, 0])[0])
    columns["next_sentence_labels"][row] = 0
    biased.write({3: EncodedBatch.of(encode_columns(columns))}, parity="bert")
    assert violated(check(biased)) == set(), "without the documents nobody can tell"
    found = check(biased, tokens_dir=str(biased.tokens_dir))
    assert violated(found) == {"label 0 is true"}
    assert detail(found, "label 0 is true") == f"first: {biased.names[3]}:{row}"


def test_random_tokens_that_are_less_biased_than_they_should_be_are_caught(biased_dataset, tmp_path):
    def mask(settings: Settings, plain: list[InstanceBatch]) -> list[InstanceBatch]:
        fair = dataclasses.replace(settings, pairing=dataclasses.replace(settings.pairing, parity="none"))
        return masked_batches(fair, plain)

    less = make_dataset(tmp_path, biased_dataset.documents, mask, parity="bert")
    assert violated(check(less)) == {"spread of random tokens"}
