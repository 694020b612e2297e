"""Masks drawn anew whenever an instance is read (Liu et al. 2019, section 4.1): the rules of room 6, as a graph.

Ids, masks and scores are of whole batches, shape [rows, L], and every random number follows from a seed; the reasons for
the rules are those of `mlm_data.masking`.
"""

from mlm_data.training.dynamic_masking.masker import Batch, Masker, make_masker, unmask

__all__ = ["Batch", "Masker", "make_masker", "unmask"]
