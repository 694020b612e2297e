"""What a dataset says of itself, as far as it does."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mlm_data.config import Settings, SettingsError, tokens_fingerprint
from mlm_data.dataset_directory import CONFIG
from mlm_data.manifest import Manifest
from mlm_data.shards import TRAIN, WrittenShard, find_seq_length
from mlm_data.statistics import STATISTICS
from mlm_data.storage import Storage


class BucketPlace(NamedTuple):
    """A bucket of documents: its split, its number, and how many there are in the split."""

    split: str
    number: int
    buckets: int


class ShardPlace(NamedTuple):
    """Where a shard belongs: the bucket it was made from, and its number among the shards of its length."""

    bucket: BucketPlace
    number: int

    @property
    def made_together(self) -> tuple[str, int]:
        """What it shares with the shards of other lengths that one pass over its bucket made."""
        return self.bucket.split, self.number


@dataclass(frozen=True, slots=True)
class Claims:
    """A dataset by its own words; None is what nobody says.

    Attributes:
        directory: where it lies, with a slash at the end; empty for the current one.
        manifest: its manifest.
        masking: see `MaskingSettings`.
        masked_lm_prob: share of a record's tokens that are predicted.
        mask_token_prob: share of these that become [MASK].
        random_token_prob: share of these that become another token.
        statistics: the content of its `statistics.json`.
        tokens: fingerprint of the token store it was made from.
        validation_fraction: share of the documents in validation shards.
        places: by name of the shard.
        lengths: where records have several, that of a shard's records by its name.
        slots_by_length: where records have several lengths, values of the masked_lm features by each, ascending.
    """

    directory: str
    manifest: Manifest | None = None
    masking: str | None = None
    masked_lm_prob: float | None = None
    mask_token_prob: float = 0.8  # here and below Devlin et al. 2019, appendix A.1, where nobody says otherwise
    random_token_prob: float = 0.1
    statistics: Mapping[str, Any] | None = None
    tokens: str | None = None
    validation_fraction: float | None = None
    places: Mapping[str, ShardPlace] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    slots_by_length: Mapping[int, int] = field(default_factory=dict)


def read_claims(storage: Storage, directory: str, names: Sequence[str], manifest: Manifest | None) -> Claims:
    """What the files beside the shards say; without a manifest they are taken to say nothing, but for their names.

    Args:
        storage: where they lie.
        directory: see `Claims`.
        names: of the shards.
        manifest: theirs, if there is one.

    Raises:
        OSError: a file cannot be read.
    """
    if manifest is None:
        return Claims(directory, lengths={name: length for name in names if (length := find_seq_length(name))})
    config = _read_json(storage, directory + CONFIG)
    settings = config.get("settings", {})
    statistics = _read_json(storage, directory + STATISTICS)
    said = {name: getattr(manifest, name, settings.get(name)) for name in _SHARES}
    return Claims(
        directory,
        manifest,
        manifest.masking,
        statistics=statistics if {"documents", "instances"} <= statistics.keys() else None,
        tokens=_name_tokens(config, manifest),
        validation_fraction=settings.get("validation_fraction"),
        places=_place_shards(manifest),
        lengths={shard.name: shard.seq_length for shard in _all_shards(manifest) if shard.seq_length},
        slots_by_length=manifest.slots_by_length if manifest.sequence_buckets else {},
        **{name: share for name, share in said.items() if share is not None},
    )


_SHARES = ("masked_lm_prob", "mask_token_prob", "random_token_prob")


def _all_shards(manifest: Manifest) -> Iterator[WrittenShard]:
    for shards in manifest.shards.values():
        yield from shards


def _place_shards(manifest: Manifest) -> dict[str, ShardPlace]:
    """The places of all shards; pass p of bucket b is shard p * buckets + b of its length."""
    places: dict[str, ShardPlace] = {}
    for split, shards in manifest.shards.items():
        passes = manifest.dupe_factor if split == TRAIN else 1
        names_by_length: dict[int | None, list[str]] = {}
        for shard in shards:
            names_by_length.setdefault(shard.seq_length, []).append(shard.name)
        for names in names_by_length.values():
            buckets = max(1, len(names) // passes)
            for number, name in enumerate(names):
                places[name] = ShardPlace(BucketPlace(split, number % buckets, buckets), number)
    return places


def _read_json(storage: Storage, path: str) -> dict[str, Any]:
    """What a file says; nothing if it is not there or not of ours."""
    if not storage.match(glob.escape(path)):
        return {}
    with storage.open_for_reading(path) as file:
        try:
            values = json.load(file)
        except ValueError:
            return {}
    return values if isinstance(values, dict) else {}


def _name_tokens(config: Mapping[str, Any], manifest: Manifest) -> str | None:
    try:
        settings = Settings.from_flags(config["settings"])
        return tokens_fingerprint(settings, manifest.vocab_sha256, config["inputs"])
    except (SettingsError, KeyError, TypeError):
        return None  # of another version
