"""What must hold of the files of a dataset, beyond what is in their records."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence

import numpy as np

from mlm_data.manifest import MANIFEST, Manifest
from mlm_data.records import Reason
from mlm_data.shards import WrittenShard
from mlm_data.statistics import STATISTICS
from mlm_data.storage import Storage
from mlm_data.validation.checks import Check, Rule
from mlm_data.validation.claims import Claims
from mlm_data.validation.examination import ShardReport
from mlm_data.validation.instances import Counts
from mlm_data.validation.record_checks import NO_VOCABULARY
from mlm_data.validation.tally import Tally
from mlm_data.vocabulary import Vocabulary

NO_MANIFEST = f"no {MANIFEST} names these shards"

FILES = Rule("files", "files are there and whole, every checksum in them fits")
SHARD_SET = Rule("set of shards", "all shards that names and manifest speak of are there, and no others")
LISTED = Rule("manifest", "sizes, sha256s and numbers of records are those of the manifest")
VOCABULARY = Rule("vocabulary", "the vocabulary is that of the manifest")
DISTINCT = Rule("distinct shards", "no two shards of sixteen records or more hold the same ones")
DOCUMENTS = Rule("documents", "every document read is in the shards or was rejected and counted")
COUNTED = Rule("statistics", f"the shards hold what {STATISTICS} counts")

_NUMBERED = re.compile(r"(.*-)(\d+)-of-(\d+)(.*)")
_REJECTS = "rejects/*.jsonl"
_RECORDS_OF_UNIQUE = 16  # fewer may be drawn alike, if they are short


def check_files(reports: Sequence[ShardReport]) -> Check:
    """Whether every file could be read to its end."""
    damaged = [report for report in reports if report.damage]
    return FILES.decided(
        is_sound=not damaged,
        observed=f"{len(damaged):,} of {len(reports):,} damaged" if damaged else f"{len(reports):,} sound",
        expected="no damage",
        detail=damaged[0].damage if damaged else "",
    )


def check_shard_set(storage: Storage, directory: str, names: Sequence[str], manifest: Manifest | None) -> Check:
    """Whether all shards of a set lie there: as many as their names say, and those of the manifest, and no others."""
    listed = {shard.name for shards in manifest.shards.values() for shard in shards} if manifest else set()
    numbered = [match for match in map(_NUMBERED.fullmatch, sorted({*names, *listed})) if match]
    if not numbered:
        return SHARD_SET.not_made("no file name says how many shards there are")
    sets = {(match[1], len(match[2]), int(match[3]), match[3] + match[4]) for match in numbered}
    wanted = listed | {
        f"{start}{number:0{digits}}-of-{end}" for start, digits, total, end in sets for number in range(total)
    }
    patterns = [f"{glob.escape(directory + match[1])}*-of-*{glob.escape(match[4])}" for match in numbered]
    found = {
        file.path.removeprefix(directory) for pattern in dict.fromkeys(patterns) for file in storage.match(pattern)
    }
    missing, odd = sorted(wanted - found), sorted(found - (listed or wanted))
    troubles = {"missing": missing, "not of the set": odd}
    return SHARD_SET.decided(
        is_sound=not missing and not odd,
        observed=f"{len(wanted & found):,} of {len(wanted):,}" + (f", {len(odd):,} others" if odd else ""),
        expected="all",
        detail="; ".join(f"{trouble}: {', '.join(some[:3])}" for trouble, some in troubles.items() if some),
    )


def check_manifest(reports: Sequence[ShardReport], manifest: Manifest | None) -> Check:
    """Whether the shards are what the manifest says of them."""
    if manifest is None:
        return LISTED.not_made(NO_MANIFEST)
    listed = {shard.name: shard for shards in manifest.shards.values() for shard in shards}
    read = [report.found for report in reports if report.found]
    differences = {found.name: _tell_difference(found, listed.get(found.name)) for found in read}
    wrong = [f"{name}{difference}" for name, difference in differences.items() if difference]
    return LISTED.decided(
        is_sound=not wrong,
        observed=f"{len(wrong):,} of {len(read):,} differ" if wrong else f"{len(read):,} as listed",
        expected="all as listed",
        detail=wrong[0] if wrong else "",
    )


def _tell_difference(found: WrittenShard, listed: WrittenShard | None) -> str:
    """What is not as listed, for a person; empty if all is. The length of records is looked at in the records."""
    if listed is None:
        return " is not listed"
    both = ((name, getattr(found, name), getattr(listed, name)) for name in ("records", "size", "sha256"))
    told = [f"{name} {value}, listed {wanted}" for name, value, wanted in both if value != wanted]
    return f": {'; '.join(told)}" if told else ""


def check_vocabulary(vocabulary: Vocabulary | None, manifest: Manifest | None) -> Check:
    """Whether the records' ids are looked up in the right vocabulary."""
    if manifest is None or vocabulary is None:
        return VOCABULARY.not_made(NO_MANIFEST if vocabulary else NO_VOCABULARY)
    return VOCABULARY.decided(
        is_sound=vocabulary.sha256 == manifest.vocab_sha256,
        observed=f"sha256 {vocabulary.sha256[:12]}...",
        expected=f"{manifest.vocab_sha256[:12]}...",
    )


def check_distinct_shards(reports: Sequence[ShardReport], names: Sequence[str]) -> Check:
    """Whether no two shards hold the same records, in whatever order."""
    seen: dict[tuple[int, int], str] = {}
    repeated = []
    for report, name in zip(reports, names, strict=True):
        first = seen.setdefault((report.records, report.content), name)
        if first != name and report.records >= _RECORDS_OF_UNIQUE:
            repeated.append(f"{name} holds the records of {first}")
    return DISTINCT.decided(
        is_sound=not repeated,
        observed=f"{len(repeated):,} repeated" if repeated else f"{len(reports):,} distinct",
        expected="all distinct",
        detail="; ".join(repeated[:3]),
    )


def check_statistics(tallies: Mapping[str, Tally], claims: Claims, *, is_whole: bool) -> Check:
    """Whether the shards hold what `statistics.json` counts.

    Args:
        tallies: by split.
        claims: of the dataset.
        is_whole: whether all records of all shards are counted.
    """
    reason = _why_no_statistics(claims, is_whole=is_whole)
    if claims.statistics is None or reason:
        return COUNTED.not_made(reason)
    differing = [
        f"{split}: {what}"
        for split, said in claims.statistics["instances"].items()
        for what, counts in _histograms(tallies.get(split)).items()
        if what in said and not np.array_equal(counts, np.asarray(said[what]))
    ]
    return COUNTED.decided(
        is_sound=not differing,
        observed=", ".join(differing) + " differ" if differing else "the same counts",
        expected="the same counts",
    )


def _histograms(tally: Tally | None) -> dict[str, int | Counts]:
    """What is counted here and there, by its name there."""
    if tally is None:
        return {"instances": 0}
    return {
        "instances": tally.records,
        "lengths": tally.lengths,
        "a_lengths": tally.a_lengths,
        "b_lengths": tally.b_lengths,
        "predictions": tally.counts.sum(axis=0),
        "positions": tally.positions.predicted,
        "candidates": tally.positions.candidates,
        "replacements": tally.replacements,
    }


def check_document_counts(storage: Storage, claims: Claims) -> Check:
    """Whether every document that was read is in the shards or among the rejections, by the counts."""
    reason = _why_no_statistics(claims, is_whole=True)
    if claims.statistics is None or reason:
        return DOCUMENTS.not_made(reason)
    said = claims.statistics["documents"]
    rejected = sum(said["rejections"].values())
    listed = sum(_count_lines(storage, file.path) for file in storage.match(glob.escape(claims.directory) + _REJECTS))
    return DOCUMENTS.decided(
        is_sound=said["read"] == said["kept"] + rejected and listed == rejected,
        observed=f"{said['read']:,} read, {said['kept']:,} kept, {rejected:,} rejected, {listed:,} in rejects/",
        expected="kept and rejected make all, all rejected are in rejects/",
    )


def kept_documents(claims: Claims) -> int | None:
    """Documents that instances were made of, or were to be, had their shard not been without other ones."""
    if claims.statistics is None:
        return None
    said = claims.statistics["documents"]
    return int(said["kept"] + said["rejections"].get(str(Reason.NO_PARTNER), 0))


def _why_no_statistics(claims: Claims, *, is_whole: bool) -> str:
    if claims.manifest is None:
        return NO_MANIFEST
    if claims.statistics is None:
        return f"there is no {STATISTICS}"
    return "" if is_whole else "not every record of every shard could be counted"


def _count_lines(storage: Storage, path: str) -> int:
    with storage.open_for_reading(path) as file:
        return sum(1 for _ in file)
