"""From what was found in the shards to verdicts, in the order of the data: files, records, all records together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from mlm_data.manifest import MANIFEST
from mlm_data.objectives import NO_PARITY
from mlm_data.storage import Storage
from mlm_data.validation import file_checks, label_checks, statistical_checks
from mlm_data.validation.checks import Check, Rule, Verdict
from mlm_data.validation.claims import Claims
from mlm_data.validation.corpus_checks import COVERAGE, ONE_TRUE, ZERO_TRUE, Coverage
from mlm_data.validation.examination import FEATURES, FITTING, REPEATS, Breach, ShardReport
from mlm_data.validation.label_checks import (
    LABEL_SHARE,
    LABELS_BY_A,
    LABELS_BY_B,
    LABELS_BY_LENGTH,
    LABELS_BY_SHARD,
)
from mlm_data.validation.overlap import OVERLAP, check_overlap
from mlm_data.validation.places import describe_place
from mlm_data.validation.probe import SURFACE, check_surface
from mlm_data.validation.record_checks import NO_LABELS, NO_PREDICTIONS, NO_VOCABULARY, RANDOM_CHECK, RECORD_CHECKS
from mlm_data.validation.schema import Schema, kind_of_manifest
from mlm_data.validation.statistical_checks import (
    ACROSS,
    NUMBER,
    POSITIONS,
    RANDOM_TOKENS,
    REPLACEMENTS,
    WORD_SIZES,
)
from mlm_data.validation.tally import Tally
from mlm_data.vocabulary import Vocabulary

_NO_TOKENS = "needs the documents; name their tokens with --tokens_dir DIR"
_NO_RECORDS = "no record is sound enough to count"
_PARTED = "shards of some lengths were not asked for"

_WORDS_TO_JUDGE = 100  # predicted pieces of longer words, all with the rest of their word, that cannot be chance


@dataclass(frozen=True)
class Evidence:
    """What is known of a dataset once all shards are read.

    Attributes:
        storage: where it lies.
        names: of the shards.
        claims: what it says of itself.
        schema: of its records.
        vocabulary: of its ids; None where none is known.
        reports: of the shards, in the order of `names`.
        tallies: by split, its records that break no structural rule; all under "" where nobody says which is which.
        coverage: of the documents it was made from; None where they are not known.
    """

    storage: Storage
    names: tuple[str, ...]
    claims: Claims
    schema: Schema
    vocabulary: Vocabulary | None
    reports: tuple[ShardReport, ...]
    tallies: Mapping[str, Tally]
    coverage: Coverage | None

    @property
    def records(self) -> int:
        """Records that could be read."""
        return sum(report.records for report in self.reports)

    @cached_property
    def tally(self) -> Tally:
        """All records that break no structural rule, counted."""
        return reduce(add, self.tallies.values())

    @cached_property
    def masking(self) -> str:
        """As the manifest says; else judged by whether a word was ever predicted in part."""
        if self.claims.masking:
            return self.claims.masking
        is_whole = self.tally.joined >= _WORDS_TO_JUDGE and not self.tally.split_words
        return "whole_word" if is_whole else "token"

    @property
    def parity(self) -> str:
        """Why pairs need not be as ours are; empty if they must."""
        parity = self.claims.manifest.parity if self.claims.manifest else NO_PARITY
        return "" if parity == NO_PARITY else f"--parity {parity} has the biases of another program, this one included"

    @cached_property
    def is_parted(self) -> bool:
        """Whether of what was made in one pass, only the shards of some lengths are here."""
        places = self.claims.places
        lengths = Counter(places[name].made_together for name in self.names if name in places)
        return any(number < len(self.schema.slots_by_length) for number in lengths.values())

    def random_ids(self, vocabulary: Vocabulary) -> NDArray[np.integer]:
        """What random tokens are drawn from."""
        return np.arange(len(vocabulary)) if self.parity else vocabulary.ordinary_ids

    @property
    def is_whole(self) -> bool:
        """Whether all records of all shards of the dataset were counted."""
        manifest = self.claims.manifest
        listed = sum(len(shards) for shards in manifest.shards.values()) if manifest else 0
        return len(self.reports) == listed and all(report.found and not report.uncounted for report in self.reports)


def judge(evidence: Evidence) -> Iterator[Check]:
    """All checks."""
    yield from _judge_files(evidence)
    yield from _judge_records(evidence)
    yield from _judge_documents(evidence)
    yield from _judge_predictions(evidence)
    yield from _judge_labels(evidence)


def _judge_files(evidence: Evidence) -> Iterator[Check]:
    claims, reports, names = evidence.claims, evidence.reports, evidence.names
    yield file_checks.check_files(reports)
    yield file_checks.check_shard_set(evidence.storage, claims.directory, names, claims.manifest)
    yield file_checks.check_manifest(reports, claims.manifest)
    yield file_checks.check_vocabulary(evidence.vocabulary, claims.manifest)
    yield file_checks.check_distinct_shards(reports, names)
    yield file_checks.check_statistics(evidence.tallies, claims, is_whole=evidence.is_whole)


def _judge_records(evidence: Evidence) -> Iterator[Check]:
    yield _judge_features(evidence)
    if evidence.schema.slots_by_length:
        yield _judge_breach(evidence, FITTING)
    without_masks = "without masks, two records are equal where a text is"
    yield _judge_breach(evidence, REPEATS) if evidence.schema.slots else REPEATS.not_made(without_masks)
    for check in RECORD_CHECKS:
        reason = check.why_not(evidence.schema, evidence.claims.masking, has_vocabulary=evidence.vocabulary is not None)
        reason = reason or (evidence.parity if check.name == RANDOM_CHECK else "")
        yield check.not_made(reason) if reason else _judge_breach(evidence, check)


def _judge_features(evidence: Evidence) -> Check:
    """Whether all records have the features of the first one, and this one those of the manifest."""
    schema, manifest = evidence.schema, evidence.claims.manifest
    check = _judge_breach(evidence, FEATURES)
    if manifest is None or check.verdict is Verdict.VIOLATED:
        return check
    listed = kind_of_manifest(manifest)
    found, wanted = (set(kind) for kind in (schema.kind, listed))
    if found == wanted:
        return check
    return FEATURES.decided(
        is_sound=False,
        observed=f"all have {_tell_kind(found - wanted)}",
        expected=_tell_kind(wanted - found),
        detail=f"expected by {MANIFEST}",
    )


def _tell_kind(kind: Iterable[tuple[str, str, int]]) -> str:
    return ", ".join(f"{name} {dtype} [{size}]" for name, dtype, size in sorted(kind)) or "no others"


def _judge_breach(evidence: Evidence, rule: Rule) -> Check:
    breach = sum((report.breaches.get(rule.name, Breach()) for report in evidence.reports), start=Breach())
    if not breach.records:
        return rule.decided(is_sound=True, observed="no record breaks it", expected="no record")
    return rule.decided(
        is_sound=False,
        observed=f"{breach.records:,} of {evidence.records:,} records break it",
        expected="no record",
        detail=f"first: {describe_place(breach.first, evidence.names)}",
    )


def _judge_documents(evidence: Evidence) -> Iterator[Check]:
    """What can be said of the documents the dataset was made from."""
    reason = "" if evidence.schema.has_labels else NO_LABELS
    reason = reason or ("" if evidence.coverage else _NO_TOKENS)
    yield ZERO_TRUE.not_made(reason) if reason else _judge_breach(evidence, ZERO_TRUE)
    reason = reason or evidence.parity
    yield ONE_TRUE.not_made(reason) if reason else _judge_breach(evidence, ONE_TRUE)
    yield file_checks.check_document_counts(evidence.storage, evidence.claims)
    yield _judge_coverage(evidence)


def _judge_coverage(evidence: Evidence) -> Check:
    coverage = evidence.coverage
    if coverage is None:
        return COVERAGE.not_made(_NO_TOKENS)
    if evidence.is_parted:
        return COVERAGE.not_made(_PARTED)
    counted = file_checks.kept_documents(evidence.claims) if evidence.is_whole else None
    missing = [f"{source}, document {index}" for source, index in coverage.missing[:3]]
    return COVERAGE.decided(
        is_sound=not missing and counted in (None, coverage.documents),
        observed=f"{coverage.documents - len(coverage.missing):,} documents, {coverage.found_share:.2%} of all tokens",
        expected=f"{coverage.documents if counted is None else counted:,} documents",
        detail=f"missing: {'; '.join(missing)}" if missing else "",
    )


def _judge_predictions(evidence: Evidence) -> Iterator[Check]:
    """What masking promises of all records together."""
    tally, claims, masking, vocabulary = evidence.tally, evidence.claims, evidence.masking, evidence.vocabulary
    reason = "" if evidence.schema.slots else NO_PREDICTIONS
    reason = reason or ("" if tally.predicted else _NO_RECORDS)
    if reason:
        yield NUMBER.not_made(reason)
    else:
        slots = evidence.schema.slots_by_length or {evidence.schema.width: evidence.schema.slots}
        yield statistical_checks.check_counts(tally, evidence.names, slots, claims.masked_lm_prob, masking)
    reason = reason or ("" if vocabulary else NO_VOCABULARY)
    if reason or vocabulary is None:
        rules = (REPLACEMENTS, RANDOM_TOKENS, POSITIONS, WORD_SIZES, ACROSS, OVERLAP)
        yield from (rule.not_made(reason) for rule in rules)
        return
    shares, random_ids = (claims.mask_token_prob, claims.random_token_prob), evidence.random_ids(vocabulary)
    yield statistical_checks.check_replacements(tally, masking, shares, random_ids, vocabulary.mask_id)
    yield statistical_checks.check_random_tokens(tally, random_ids[random_ids != vocabulary.mask_id])
    yield statistical_checks.check_positions(tally, masking)
    yield statistical_checks.check_word_sizes(tally, masking)
    yield statistical_checks.check_across(tally, masking)
    yield check_overlap([sample for report in evidence.reports for sample in report.texts], masking)


def _judge_labels(evidence: Evidence) -> Iterator[Check]:
    """What next sentence prediction promises of all records together."""
    tally, manifest = evidence.tally, evidence.claims.manifest
    reason = "" if evidence.schema.has_labels else NO_LABELS
    reason = reason or ("" if tally.records else _NO_RECORDS) or evidence.parity
    if reason:
        yield from (rule.not_made(reason) for rule in (LABEL_SHARE, LABELS_BY_SHARD, LABELS_BY_LENGTH))
    else:
        yield label_checks.check_label_share(tally)
        yield _judge_shares_by_shard(evidence)
        yield label_checks.check_labels_by_length(tally)
    if manifest and manifest.objective == "sop":
        reason = reason or "which segment came first in the text may show in each by itself (--objective sop)"
    if reason:
        yield from (rule.not_made(reason) for rule in (LABELS_BY_A, LABELS_BY_B, SURFACE))
        return
    yield from label_checks.check_labels_by_segments(tally)
    yield check_surface([sample for report in evidence.reports for sample in report.pairs])


def _judge_shares_by_shard(evidence: Evidence) -> Check:
    """Ours have exact halves, over all lengths; a shard that the manifest does not name counts for itself."""
    reports, names, places = evidence.reports, evidence.names, evidence.claims.places
    if not places or evidence.is_parted:
        return label_checks.check_labels_by_shard(reports, names)
    together = [places[name].made_together if name in places else name for name in names]
    return label_checks.check_exact_halves(reports, names, together)
