"""Room 6: a batch of instances becomes a masked batch (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

import dataclasses

import numpy as np

from mlm_data.config import NO_MASKING, MaskingSettings
from mlm_data.masking.candidates import find_candidates, prediction_counts
from mlm_data.masking.replacement import Replacements
from mlm_data.masking.selection import select_tokens
from mlm_data.masking.words import find_word_starts, find_words
from mlm_data.objectives import NO_PARITY
from mlm_data.records import InstanceBatch
from mlm_data.vocabulary import Vocabulary

__all__ = ["find_candidates", "mask_tokens", "prediction_counts"]


def mask_tokens(
    batch: InstanceBatch,
    settings: MaskingSettings,
    vocabulary: Vocabulary,
    rng: np.random.Generator,
    parity: str = NO_PARITY,
) -> InstanceBatch:
    """Chooses tokens to predict, all with equal chance, and hides them; [CLS], [SEP] and padding never.

    The budget of an instance of n tokens, specials counted, is min(P, max(1, round(masked_lm_prob * n))).

    - token: each token alone; the budget is met exactly (but for instances that have fewer candidates).
    - whole_word: all pieces of a word or none, so that the budget may be missed by a few tokens; a word's chance does
      not depend on its number of pieces. Words of more pieces than the budget are never chosen; in an instance that has
      no others, single pieces are.
    - ngram: likewise, words next to each other being chosen together, n with a chance proportional to 1 / n (ALBERT).
    - span: likewise, with lengths of a geometric law (SpanBERT).
    - none: nothing is hidden; instead it is marked where words begin, so that a trainer can mask whole words.

    N-grams and spans never go beyond a special token and are cut there, and where the budget ends, between two words.

    Of the chosen tokens, shares of `mask_token_prob` and `random_token_prob` become [MASK] and an ordinary token drawn
    uniformly; the others stay. This is decided for each token, but with span for all tokens of a span at once. At par
    with google-research/bert any token of the vocabulary is drawn, special and [unused] ones too.

    Args:
        batch: unmasked instances.
        settings: strategy, rates and P, the number of mask slots.
        vocabulary: gives special and ordinary tokens and tells ## pieces.
        rng: decides positions and replacements.
        parity: see `PairingSettings`.

    Returns:
        The batch with `input_word_ids` changed and the masked_lm arrays filled, shape [instances, P]; with none, the
        batch with `input_word_starts`.

    Raises:
        ValueError: P is still `auto`.
    """
    if settings.masking == NO_MASKING:
        ids = batch.input_word_ids
        starts = find_word_starts(find_words(ids, vocabulary))
        return dataclasses.replace(batch, input_word_starts=starts)
    slots = settings.max_predictions_per_seq
    if not slots:
        raise ValueError("max_predictions_per_seq is auto; expected a number, as in the masking section of Settings")
    chosen = select_tokens(batch, settings, vocabulary, rng)
    ids = batch.input_word_ids
    hidden = ids.copy()
    originals = hidden.take(chosen.tokens)
    hidden.ravel()[chosen.tokens] = Replacements.of(settings, vocabulary, parity).draw(originals, chosen.begins, rng)
    hidden[:, 0] = ids[:, 0]  # where slots point that are not used
    return dataclasses.replace(
        batch,
        input_word_ids=hidden,
        masked_lm_positions=chosen.positions,
        masked_lm_ids=np.where(chosen.positions > 0, originals, 0),
        masked_lm_counts=chosen.counts,
    )
