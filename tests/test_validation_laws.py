"""Masks and labels that follow another law, which no single record shows but thousands do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlm_data.examples import encode_batch
from mlm_data.records import InstanceBatch
from tests.datasets import (
    CLS,
    MASK,
    SEP,
    VOCABULARY,
    Dataset,
    check,
    make_dataset,
    masked_batches,
    violated,
)
from tests.making import random_documents


def is_candidate(batch: InstanceBatch) -> np.ndarray:
    column = np.arange(batch.input_word_ids.shape[1])
    return (column < batch.lengths[:, None]) & ~np.isin(batch.input_word_ids, (CLS, SEP))


def mask_otherwise(
    weigh: Callable[[InstanceBatch, np.random.Generator], np.ndarray] | None = None,
    shares: tuple[float, float] = (0.8, 0.1),
    random_ids: np.ndarray = VOCABULARY.ordinary_ids,
) -> Callable[[Any, list[InstanceBatch]], list[InstanceBatch]]:
    """Masks token by token; the smallest of exponential scores divided by weights are chosen."""

    def mask(settings: Any, plain: list[InstanceBatch]) -> list[InstanceBatch]:
        rng = np.random.default_rng(7)
        slots = settings.masking.max_predictions_per_seq
        return [_mask_one(batch, slots, rng, weigh, shares, random_ids) for batch in plain]

    return mask


def _mask_one(batch, slots, rng, weigh, shares, random_ids) -> InstanceBatch:
    scores = weigh(batch, rng) if weigh else rng.random(batch.input_word_ids.shape)
    scores = np.where(is_candidate(batch), scores, np.inf)
    counts = np.clip(np.rint(0.15 * batch.lengths), 1, slots).astype(np.int32)
    used = np.arange(slots) < counts[:, None]
    positions = np.sort(np.where(used, np.argsort(scores, axis=1)[:, :slots], 10**6), axis=1)
    positions = np.where(used, positions, 0)
    originals = np.where(used, np.take_along_axis(batch.input_word_ids, positions, axis=1), 0)
    draw = rng.random(positions.shape)
    randoms = rng.choice(random_ids, positions.shape)
    now = np.where(draw < shares[0], MASK, np.where(draw < sum(shares), randoms, originals))
    ids = batch.input_word_ids.copy()
    rows = np.nonzero(used)[0]
    ids[rows, positions[used]] = now[used]
    return dataclasses.replace(
        batch,
        input_word_ids=ids,
        masked_lm_positions=positions.astype(np.int32),
        masked_lm_ids=originals.astype(np.int32),
        masked_lm_counts=counts,
    )


def avoid_first_tokens(batch: InstanceBatch, rng: np.random.Generator) -> np.ndarray:
    scores = rng.random(batch.input_word_ids.shape)
    scores[:, :4] += 1
    return scores


def prefer_short_words(batch: InstanceBatch, rng: np.random.Generator) -> np.ndarray:
    continues = VOCABULARY.is_continuation[batch.input_word_ids]
    is_long = continues | np.roll(continues, -1, axis=1)
    return rng.exponential(size=continues.shape) * np.where(is_long, 1.2, 1)


def repeat_masks(batch: InstanceBatch, rng: np.random.Generator) -> np.ndarray:
    """The same text, the same scores."""
    ids = batch.input_word_ids.astype(np.uint32)
    mixed = (np.roll(ids, 1, axis=1) * np.uint32(31) + ids) * np.uint32(2_654_435_761)
    return mixed / 2**32


def repeat_some_masks(batch: InstanceBatch, rng: np.random.Generator) -> np.ndarray:
    return np.where(
        rng.random(len(batch))[:, None] < 0.2, repeat_masks(batch, rng), rng.random(batch.input_word_ids.shape)
    )


def join_cut_words(batch: InstanceBatch, rng: np.random.Generator) -> np.ndarray:
    """A word that is cut where B begins, and the last word of A, as one: google-research/bert's whole words."""
    is_cut = VOCABULARY.is_continuation[batch.input_word_ids[np.arange(len(batch)), batch.a_lengths]]
    return join_words(batch, np.flatnonzero(is_cut), rng)


def join_some_words(batch: InstanceBatch, rng: np.random.Generator) -> np.ndarray:
    """The first word of B and the last one of A, now and then, as one: google-research/albert's n-grams."""
    return join_words(batch, np.flatnonzero(rng.random(len(batch)) < 0.3), rng)


def join_words(batch: InstanceBatch, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    scores, first = rng.random(batch.input_word_ids.shape), batch.a_lengths[rows]
    scores[rows, first] = scores[rows, first - 2]
    return scores


FREQUENT = np.concatenate([VOCABULARY.ordinary_ids, np.repeat(VOCABULARY.ordinary_ids[:20], 4)])


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        (mask_otherwise(), set()),
        (mask_otherwise(shares=(0.78, 0.1)), {"replacements"}),
        (mask_otherwise(shares=(0.8, 0.08)), {"replacements"}),
        (mask_otherwise(shares=(0.82, 0.08)), {"replacements"}),
        (mask_otherwise(shares=(0.8, 0.12)), {"replacements"}),
        (mask_otherwise(random_ids=VOCABULARY.ordinary_ids[:200]), {"spread of random tokens"}),
        (mask_otherwise(random_ids=VOCABULARY.ordinary_ids[::2]), {"spread of random tokens"}),
        (mask_otherwise(random_ids=FREQUENT), {"spread of random tokens"}),
        (mask_otherwise(avoid_first_tokens), {"selection by position"}),
        (mask_otherwise(prefer_short_words), {"selection by word size"}),
        (mask_otherwise(join_cut_words), {"words across [SEP]"}),
        (mask_otherwise(join_some_words), {"words across [SEP]"}),
        (mask_otherwise(repeat_masks), {"masks of two passes"}),
        (mask_otherwise(repeat_some_masks), {"masks of two passes"}),
    ],
)
def test_masks_of_another_law_are_caught(tmp_path, mask, names):
    documents = random_documents(600, sentences=(2, 30), words=(1, 20))
    assert violated(check(make_dataset(tmp_path, documents, mask))) == names


def test_words_masked_in_part_are_caught_where_the_manifest_says_they_are_not(dataset):
    dataset.write(masking="whole_word")
    assert violated(check(dataset)) == {"whole words"}


def test_more_predictions_than_asked_for_are_caught_where_words_are_masked_whole(tmp_path):
    def mask(settings: Any, plain: list[InstanceBatch]) -> list[InstanceBatch]:
        more = dataclasses.replace(settings.masking, masked_lm_prob=0.2)
        return masked_batches(dataclasses.replace(settings, masking=more), plain)

    documents = random_documents(120, sentences=(2, 30), words=(1, 20))
    assert violated(check(make_dataset(tmp_path, documents, mask, masking="whole_word"))) == {"number of predictions"}


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Dataset:
    """Some ten thousand records."""
    documents = random_documents(1500, sentences=(2, 30), words=(1, 20))
    return make_dataset(tmp_path_factory.mktemp("many"), documents)


def surface(batch: InstanceBatch, what: str) -> np.ndarray:
    """Which records have something that shows without reading them."""
    b_lengths = batch.lengths - batch.a_lengths
    last = batch.input_word_ids[np.arange(len(batch)), batch.lengths - 2]
    return {
        "nothing": np.zeros(len(batch), np.bool_),
        "short A": batch.a_lengths < np.median(batch.a_lengths),
        "short B": b_lengths < np.median(b_lengths),
        "padding": batch.lengths < batch.input_word_ids.shape[1],
        "last piece": last % 2 == 0,
    }[what]


def relabel(dataset: Dataset, what: str, strength: float, share: float = 0.5) -> dict[int, Any]:
    """Gives label 1 to a share of each shard, rather to those that have more of something."""
    changed, rng = {}, np.random.default_rng(0)
    for number, batch in enumerate(dataset.batches):
        scores = strength * surface(batch, what) + rng.random(len(batch))
        labels = np.zeros(len(batch), np.int64)
        labels[np.argsort(-scores, kind="stable")[: round(share * len(batch))]] = 1
        changed[number] = encode_batch(dataclasses.replace(batch, next_sentence_labels=labels))
    return changed


@pytest.mark.parametrize(
    ("what", "strength", "share", "names"),
    [
        ("nothing", 0, 0.5, set()),
        ("nothing", 0, 0.53, {"label share", "label share by shard"}),
        ("nothing", 0, 0.505, {"label share by shard"}),
        ("short A", 0.3, 0.5, {"label share by |A|", "label share by |B|", "label share by length", "surface probe"}),
        ("short B", 0.3, 0.5, {"label share by |A|", "label share by |B|", "label share by length", "surface probe"}),
        ("padding", 0.3, 0.5, {"label share by |A|", "label share by |B|", "label share by length", "surface probe"}),
        ("last piece", 0.5, 0.5, {"surface probe"}),
    ],
)
def test_labels_of_another_law_are_caught(many, what, strength, share, names):
    many.write(relabel(many, what, strength, share))
    assert violated(check(many)) == names
