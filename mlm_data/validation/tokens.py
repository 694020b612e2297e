"""The documents a dataset was made from, taken from the token store that was kept (`--tokens_dir`)."""

from __future__ import annotations

import glob
from dataclasses import dataclass

from mlm_data.inspection.sources import RequestError
from mlm_data.objectives import find_objective
from mlm_data.records import TokenizedDocument
from mlm_data.shards import assign_split
from mlm_data.storage import Storage
from mlm_data.token_store import SUFFIX, TokenStore, read_fingerprint
from mlm_data.validation.claims import BucketPlace, Claims


@dataclass(frozen=True, slots=True)
class Tokens:
    """A token store, seen from a dataset.

    Attributes:
        store: the store.
        parts: its files, without suffix.
        validation_fraction: share of the documents in validation shards.
        least_sentences: that a document needs to give an instance.
        is_swapped: whether label 1 says that A follows B (sentence order prediction).
    """

    store: TokenStore
    parts: tuple[str, ...]
    validation_fraction: float
    least_sentences: int
    is_swapped: bool

    def documents(self, bucket: BucketPlace) -> list[TokenizedDocument]:
        """The documents that the instances of a bucket are made of, each text once."""
        found = {
            document.key: document
            for document in self.store.read(self.parts, bucket.number, bucket.buckets)
            if assign_split(self.store.seed, document.key, self.validation_fraction) == bucket.split
        }
        return [document for document in found.values() if len(document.sentence_offsets) > self.least_sentences]


def open_tokens(storage: Storage, directory: str, claims: Claims) -> Tokens:
    """The token store of a dataset whose vocabulary is known.

    Raises:
        RequestError: it is none, or not that of this dataset.
    """
    parts = [file.path.removeprefix(f"{directory}/") for file in storage.match(f"{glob.escape(directory)}/*{SUFFIX}")]
    if not parts:
        raise RequestError(f"--tokens_dir {directory} holds no tokens; expected what make-pretraining-data kept there")
    if claims.manifest is None or claims.tokens is None or claims.validation_fraction is None:
        raise RequestError(
            f"--tokens_dir {directory} is of use only with manifest.json and config.json beside the shards, which say "
            f"where each document went"
        )
    if read_fingerprint(storage, directory) != claims.tokens:
        raise RequestError(f"--tokens_dir {directory} holds the tokens of other text or settings than these shards")
    store = TokenStore(storage, directory, claims.manifest.random_seed)
    names = tuple(sorted(part.removesuffix(SUFFIX) for part in parts))
    return Tokens(
        store,
        names,
        claims.validation_fraction,
        least_sentences=find_objective(claims.manifest.objective, claims.manifest.parity).least_sentences,
        is_swapped=claims.manifest.objective == "sop",
    )
