"""Flags may be written in every way people write them."""

from __future__ import annotations

import pytest

from mlm_data.config import MaskingSettings, SettingsError, WordpieceSettings
from pipelines.command_line import FlagParser, nearest_flag, read_toml, run_program


@pytest.fixture
def parser() -> FlagParser:
    parser = FlagParser("a test")
    parser.add_section("tokenization", WordpieceSettings)
    parser.add_section("masking", MaskingSettings)
    return parser


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {}),
        (["--do_lower_case"], {"do_lower_case": True}),
        (["--no_do_lower_case"], {"do_lower_case": False}),
        (["--no-do-lower-case"], {"do_lower_case": False}),
        (["--do_lower_case=False"], {"do_lower_case": False}),
        (["--do-lower-case", "False", "--masking", "span"], {"do_lower_case": False, "masking": "span"}),
        (["--do-lower-case=true"], {"do_lower_case": True}),
        (["--masked-lm-prob", "0.2"], {"masked_lm_prob": 0.2}),
        (["--masked_lm_prob=0.2", "--vocab-file=my-vocab.txt"], {"masked_lm_prob": 0.2, "vocab_file": "my-vocab.txt"}),
    ],
)
def test_all_spellings_are_understood(parser, arguments, expected):
    namespace, unknown = parser.parse_flags(arguments)
    assert (vars(namespace), unknown) == (expected, [])


def test_unknown_flags_are_handed_back_and_never_abbreviations(parser):
    _, unknown = parser.parse_flags(["--direct-num-workers=2", "--masked_lm", "1"])
    assert unknown == ["--direct_num_workers=2", "--masked_lm", "1"]


def test_a_path_after_a_switch_is_not_its_value(parser):
    parser.add_argument("paths", nargs="*")
    namespace, unknown = parser.parse_flags(["--do_lower_case", "out"])
    assert (vars(namespace), unknown) == ({"do_lower_case": True, "paths": ["out"]}, [])


def test_the_nearest_flag_is_named(parser):
    assert nearest_flag("--masked_lm_probb=1", parser.flag_names()) == (
        "unknown flag --masked_lm_probb; did you mean --masked_lm_prob?"
    )
    assert nearest_flag("--zzz", parser.flag_names()) == "unknown flag --zzz"


@pytest.mark.parametrize("arguments", [["--masking=all"], ["--do_lower_case=maybe"], ["--masked_lm_prob=much"]])
def test_bad_values_end_with_status_2(parser, arguments, capsys):
    with pytest.raises(SystemExit) as end:
        parser.parse_flags(arguments)
    assert end.value.code == 2
    assert "--help" in capsys.readouterr().err


def test_toml_holds_settings_by_flag_name(tmp_path):
    (tmp_path / "run.toml").write_text('input = ["a.txt"]\nmasked_lm_prob = 0.2\n')
    assert read_toml(str(tmp_path / "run.toml")) == {"input": ["a.txt"], "masked_lm_prob": 0.2}
    with pytest.raises(SettingsError, match="cannot be read"):
        read_toml(str(tmp_path / "missing.toml"))


@pytest.mark.parametrize(("raised", "status"), [(SettingsError("no"), 2), (KeyboardInterrupt(), 1)])
def test_statuses_of_ends_that_are_no_bugs(raised, status):
    def main(_):
        raise raised

    with pytest.raises(SystemExit) as end:
        run_program(main)
    assert end.value.code == status
