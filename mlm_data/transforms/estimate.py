"""What a run will give, judged by a sample of its input."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlm_data import chance
from mlm_data.config import Settings
from mlm_data.corpora import InputFile
from mlm_data.corpora.decompression import compression_suffix
from mlm_data.examples import encode_batch, features_of
from mlm_data.instances import gather_instances, split_by_length
from mlm_data.masking import mask_tokens
from mlm_data.pairing import lay_end_to_end, make_segments
from mlm_data.records import Document, TokenizedDocument
from mlm_data.storage import Storage
from mlm_data.transforms.prepare import Preparer
from mlm_data.vocabulary import Vocabulary

_SAMPLE_FILES = 25
_SAMPLE_CHARACTERS = 1_000_000
_TYPICAL_COMPRESSION = 3


@dataclass(frozen=True, slots=True)
class Estimate:
    """Roughly what to expect.

    Attributes:
        text_bytes: of the input, decompressed.
        tokens: of the input.
        records: in all passes.
        record_bytes: of all records, before compression.
    """

    text_bytes: int
    tokens: int
    records: int
    record_bytes: int


def estimate(files: Sequence[InputFile], settings: Settings, vocabulary: Vocabulary, storage: Storage) -> Estimate:
    """Sends a sample from the beginning of the files through all rooms and scales up what came out."""
    text_bytes = sum(file.size * (_TYPICAL_COMPRESSION if compression_suffix(file.path) else 1) for file in files)
    preparer = Preparer(settings, vocabulary, storage)
    sample = list(_sample(files, preparer))
    sampled_bytes = sum(len(document.text.encode("utf-8", "replace")) for document in sample)
    tokenized = [item for item in preparer.prepare(sample) if isinstance(item, TokenizedDocument)]
    if not tokenized:
        return Estimate(text_bytes, 0, 0, 0)
    scale = text_bytes / sampled_bytes
    corpus = lay_end_to_end(tokenized)
    rng = chance.generator(settings.shards.random_seed, "estimate")
    segments = make_segments(corpus, settings.pairing, vocabulary.sep_id, rng)
    some = segments.take(slice(0, 1000))
    features = features_of(settings.pairing.objective, settings.masking.masking)
    encoded_bytes = 0
    for length, those in split_by_length(some, tuple(settings.masking_by_length)):
        batch = gather_instances(those, vocabulary, length)
        masking = settings.masking_by_length[length]
        masked = mask_tokens(batch, masking, vocabulary, rng, settings.pairing.parity)
        encoded_bytes += len(encode_batch(masked, settings.shards.feature_names, features).data)
    records = (len(segments) + segments.left_out) * scale * settings.shards.dupe_factor
    record_bytes = encoded_bytes / max(1, len(some))
    return Estimate(text_bytes, round(len(corpus.ids) * scale), round(records), round(records * record_bytes))


def _sample(files: Sequence[InputFile], preparer: Preparer) -> Iterator[Document]:
    """The beginnings of some files, evenly spaced among all."""
    chosen = files[:: max(1, len(files) // _SAMPLE_FILES)]
    share = _SAMPLE_CHARACTERS // len(chosen)
    for file in chosen:
        left = share
        for item in preparer.read(file):
            if isinstance(item, Document):
                yield dataclasses.replace(item, text=item.text[:left])
                left -= len(item.text)
            if left <= 0:
                break
