"""Room 5: a bucket's documents become the segments of instances, as ranges into one flat token array."""

from __future__ import annotations

from functools import partial

import numpy as np

from mlm_data.config import PairingSettings
from mlm_data.objectives import NO_PARITY
from mlm_data.pairing.bert import make_bert_pairs
from mlm_data.pairing.corpus import SegmentMaker, lay_end_to_end
from mlm_data.pairing.nsp import make_nsp_pairs, nsp_pair_maker
from mlm_data.pairing.packing import pack_sentences
from mlm_data.pairing.sop import make_sop_pairs
from mlm_data.records import Segments, TokenizedCorpus

__all__ = [
    "SegmentMaker",
    "lay_end_to_end",
    "make_bert_pairs",
    "make_nsp_pairs",
    "make_segments",
    "make_sop_pairs",
    "pack_sentences",
    "segment_maker",
]


def make_segments(
    corpus: TokenizedCorpus, settings: PairingSettings, sep_id: int, rng: np.random.Generator
) -> Segments:
    """The segments of one pass over a corpus, as objective and parity ask for, in random order.

    Args:
        corpus: the documents of one bucket.
        settings: objective, parity, lengths and their law.
        sep_id: the id of [SEP], which may stand between documents within a segment.
        rng: decides whatever is drawn.
    """
    return segment_maker(corpus, settings, sep_id)(rng)


def segment_maker(corpus: TokenizedCorpus, settings: PairingSettings, sep_id: int) -> SegmentMaker:
    """`make_segments` for one pass over a corpus after the other; what all passes share is computed once."""
    if settings.parity != NO_PARITY:
        return partial(make_bert_pairs, corpus, settings)
    match settings.objective:
        case "nsp":
            return nsp_pair_maker(corpus, settings)
        case "sop":
            return partial(make_sop_pairs, corpus, settings)
        case _:
            return partial(pack_sentences, corpus, settings, sep_id)
