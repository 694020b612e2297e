"""Masks drawn anew whenever an instance is read (Liu et al. 2019, section 4.1): the rules of room 6, as a graph.

All is done for whole batches, arrays of shape [rows, L], and every random number follows from a seed. What the rules
are for is told in `mlm_data.masking`.
"""

from mlm_data.training.dynamic_masking.masker import Batch, Masker, make_masker, unmask

__all__ = ["Batch", "Masker", "make_masker", "unmask"]
