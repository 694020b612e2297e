"""`README.md` of a dataset: what it is, how it was made, how to read it, and what it is not."""

from mlm_data.dataset_card.card import MEANINGS, render_card

__all__ = ["MEANINGS", "render_card"]
