"""Settings: what may be said, and what a dataset's name depends on."""

from __future__ import annotations

import dataclasses

import pytest

from mlm_data.config import MaskingSettings, PairingSettings, Settings, SettingsError, dataset_fingerprint


def test_flags_go_out_as_they_came_in():
    flags = Settings.from_flags({"input": ["a*.txt"], "dupe_factor": 3, "short_seq_prob": 0}).to_flags()
    assert (flags["input"], flags["dupe_factor"], flags["short_seq_prob"]) == (("a*.txt",), 3, 0.0)
    assert Settings.from_flags(flags).to_flags() == flags


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"dupe_factr": 3}, "unknown setting dupe_factr"),
        ({"dupe_factor": 0}, "--dupe_factor is 0; expected 1 or more"),
        ({"dupe_factor": "many"}, "dupe_factor is 'many'; expected int"),
        ({"dupe_factor": True}, "dupe_factor is True; expected int"),
        ({"masking": "all"}, "--masking is 'all'; expected one of token, whole_word, ngram, span, none"),
        ({"masked_lm_prob": 0.9}, "--masked_lm_prob is 0.9; expected above 0, up to 0.5"),
        ({"encoding": "utf-9"}, "--encoding is 'utf-9', which Python does not know"),
        ({"max_seq_length": 16, "max_predictions_per_seq": 20}, "is 20 but --max_seq_length 16 leaves 13"),
        ({"max_seq_length": 16, "objective": "mlm", "max_predictions_per_seq": 15}, "--max_seq_length 16 leaves 14"),
        ({"max_predictions_per_seq": -1}, "--max_predictions_per_seq is -1; expected auto or 1 and more"),
        ({"mask_token_prob": 1.5}, "--mask_token_prob is 1.5; expected between 0 and 1"),
        (
            {"mask_token_prob": 0.5, "random_token_prob": 0.6},
            "0.5 and --random_token_prob 0.6 are more than 1 together",
        ),
        ({"max_ngram_size": 0}, "--max_ngram_size is 0; expected between 1 and 100"),
        ({"masking": "none", "masked_lm_prob": 0.3}, "leaves masking to the trainer, but --masked_lm_prob would tell"),
        ({"masking": "none", "max_predictions_per_seq": 20}, "but --max_predictions_per_seq would tell"),
        ({"parity": "bert", "objective": "sop"}, "--objective is sop with --parity bert; expected nsp"),
        ({"parity": "bert", "masking": "whole_word"}, "--masking is whole_word with --parity bert; expected token"),
        ({"parity": "bert", "mask_token_prob": 0.9}, "--mask_token_prob is 0.9 with --parity bert; expected 0.8"),
        ({"parity": "albert"}, "--parity is 'albert'; expected one of none, bert"),
        ({"sequence_buckets": [64, 128], "max_seq_length": 512}, "but the longest of --sequence_buckets 64 128 is 128"),
        ({"sequence_buckets": [64, 128], "max_seq_length": 64}, "--max_seq_length is 64, but the longest of"),
        ({"sequence_buckets": [64, 64]}, "--sequence_buckets is 64 64; expected different lengths"),
        ({"sequence_buckets": [4, 64]}, "expected different lengths, 8 or more"),
        ({"sequence_buckets": ["64"]}, "sequence_buckets is ['64']; expected a list of whole numbers"),
        ({"input": 3}, "input is 3; expected a list of strings"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(flags, message):
    with pytest.raises(SettingsError) as refusal:
        Settings.from_flags(flags)
    assert message in str(refusal.value)


def test_the_fingerprint_changes_with_what_decides_bytes_and_with_nothing_else():
    def name(inputs=({"path": "a", "size": 1},), vocabulary="v", **flags):
        return dataset_fingerprint(Settings.from_flags(flags), vocabulary, inputs)

    same = [{"output_dir": "elsewhere"}, {"shuffle": "engine"}, {"vocab_file": "copy.txt"}, {"max_error_rate": 0.5}]
    other = [{"random_seed": 1}, {"do_lower_case": False}, {"language": "de"}, {"limit": 5}, {"feature_names": "v1"}]
    assert {name(**flags) for flags in same} == {name()}
    assert len({name(), name(inputs=()), name(vocabulary="w"), *(name(**flags) for flags in other)}) == 3 + len(other)


@pytest.mark.parametrize(
    ("flags", "slots"),
    [
        ({}, 20),
        ({"max_predictions_per_seq": "auto"}, 20),
        ({"max_seq_length": 512}, 77),
        ({"masked_lm_prob": 0.5}, 64),
        ({"masking": "none"}, 0),
        ({"masked_lm_prob": 0.07, "max_seq_length": 100}, 7),  # 0.07 * 100 is more than 7 to a computer
        ({"max_seq_length": 512, "max_predictions_per_seq": 76}, 76),
    ],
)
def test_mask_slots_follow_the_length_unless_they_are_given(flags, slots):
    settings = Settings.from_flags(flags)
    assert settings.masking.max_predictions_per_seq == settings.to_flags()["max_predictions_per_seq"] == slots
    explicit = Settings.from_flags({**flags, "max_predictions_per_seq": slots})
    assert dataset_fingerprint(explicit, "v", ()) == dataset_fingerprint(settings, "v", ())


@pytest.mark.parametrize(
    ("flags", "slots"),
    [
        ({}, {128: 20}),
        ({"max_predictions_per_seq": 30}, {128: 30}),
        ({"sequence_buckets": [512, 128, 256]}, {128: 20, 256: 39, 512: 77}),
        ({"sequence_buckets": [128, 256], "max_predictions_per_seq": 30}, {128: 20, 256: 30}),
        ({"sequence_buckets": [128, 256], "masking": "none"}, {128: 0, 256: 0}),
    ],
)
def test_every_length_has_the_slots_it_can_use(flags, slots):
    settings = Settings.from_flags(flags)
    found = {length: masking.max_predictions_per_seq for length, masking in settings.masking_by_length.items()}
    assert list(found.items()) == list(slots.items())
    assert settings.pairing.max_seq_length == max(slots)
    assert Settings.from_flags(settings.to_flags()) == settings


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PairingSettings().max_seq_length = 7
    assert MaskingSettings() == MaskingSettings()
