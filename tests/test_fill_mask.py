"""`fill-mask`, and the exports that it reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_data.config import WordpieceSettings
from mlm_data.training.tokenizer_files import read_vocabulary, reads_lower_case, write_tokenizer
from mlm_data.training.trained_models import find_trained_model
from mlm_data.wordpiece import WordpieceTokenizer
from pipelines.fill_mask import main
from tests.tiny_bert import VOCABULARY, needs_tensorflow, needs_text_ops, outputs_of, tiny_config, tiny_model

TEXT = "w1 \u1e823 [MASK]w5, \u00bd [MASK]"  # W with an accent; a half, which a server must not make "1/2" either
FORMS = ("huggingface", "model.keras", pytest.param("saved_model", marks=needs_text_ops))


@pytest.fixture(scope="module")
def tokenizer_directory(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(VOCABULARY, directory, do_lower_case=True, max_length=20)
    return directory


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """What train-bert leaves of a model trained in half precision, as far as it concerns us."""
    import keras

    from mlm_data.training.export import export

    directory = tmp_path_factory.mktemp("trained")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = tiny_model(tiny_config(), mlm_output="predictions")
    keras.config.set_dtype_policy(before)
    (directory / "export").mkdir()
    (directory / "export" / "old").touch()
    export(model, tiny_config(), VOCABULARY, directory / "export", do_lower_case=True)
    return directory


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as end:
        status = end.code
    return (status, *capsys.readouterr())


@needs_tensorflow
@pytest.mark.parametrize("form", FORMS)
def test_every_export_gives_the_guesses_of_the_model(trained, capsys, form):
    status, printed, _ = run(capsys, "--model", trained / "export" / form, TEXT, "--top", 4, "--json", "[MASK]")
    first, second = [json.loads(line) for line in printed.splitlines()]
    assert status == 0
    assert (first["text"], second["text"], len(second["masks"])) == (TEXT, "[MASK]", 1)
    pieces = ["[CLS]", "w1", "w3", "[MASK]", "w5", "[UNK]", "[UNK]", "[MASK]", "[SEP]"]
    ids = np.array([[VOCABULARY.pieces.index(piece) for piece in pieces]], np.int32)
    features = {
        "input_word_ids": ids,
        "input_mask": np.ones_like(ids),
        "input_type_ids": np.zeros_like(ids),
        "masked_lm_positions": np.array([[3, 7]], np.int32),
    }
    logits = outputs_of(tiny_model(tiny_config()), features)["mlm_logits"][0].astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    best = np.argsort(-probabilities)[:, :4]
    assert [[guess["piece"] for guess in mask] for mask in first["masks"]] == [
        [VOCABULARY.pieces[piece] for piece in row] for row in best
    ]
    np.testing.assert_allclose(
        [[guess["probability"] for guess in mask] for mask in first["masks"]],
        np.take_along_axis(probabilities, best, -1),
        rtol=1e-4,
    )


@needs_tensorflow
def test_an_export_replaces_the_one_before_as_a_whole(trained):
    assert not (trained / "export" / "old").exists()
    assert [path.name for path in trained.iterdir()] == ["export"]


@needs_tensorflow
@pytest.mark.parametrize("form", FORMS)
def test_the_eye_gets_a_table_and_too_much_text_is_refused(trained, capsys, form):
    status, printed, _ = run(capsys, "--model", trained / "export" / form, TEXT, "--top=2")
    assert status == 0
    assert printed.startswith(TEXT)
    assert "[MASK] 2" in printed
    assert len(printed.splitlines()) == 1 + 1 + 2 + 1
    with pytest.raises(ValueError, match=r"the text has .*tokens"):
        run(capsys, "--model", trained / "export" / form, "[MASK] " * 19)


@needs_tensorflow
def test_what_transformers_5_writes_is_enough(trained, tmp_path, capsys):
    shutil.copytree(trained / "export" / "huggingface", tmp_path, dirs_exist_ok=True)
    _, expected, _ = run(capsys, "--model", tmp_path, TEXT)
    for name in ("vocab.txt", "special_tokens_map.json"):
        (tmp_path / name).unlink()
    assert run(capsys, "--model", tmp_path, TEXT) == (0, expected, "")


@needs_tensorflow
def test_without_tensorflow_text_the_rest_is_exported(tmp_path, monkeypatch):
    from mlm_data.training.export import export

    monkeypatch.setitem(__import__("sys").modules, "tensorflow_text", None)
    exported = export(tiny_model(tiny_config()), tiny_config(), VOCABULARY, tmp_path / "export", do_lower_case=True)
    assert "pip install 'tensorflow-text~=" in exported.no_saved_model
    assert {path.name for path in (tmp_path / "export").iterdir()} == {"huggingface", "model.keras"}


@pytest.mark.parametrize(
    ("files", "asked", "found"),
    [
        (["export/huggingface/config.json", "export/huggingface/model.safetensors"], "", "export/huggingface"),
        (["huggingface/config.json", "huggingface/model.safetensors", "model.keras"], "", "huggingface"),
        (["export/model.keras", "export/saved_model/saved_model.pb"], "export", "export/model.keras"),
        (["saved_model/saved_model.pb", "vocab.txt", "checkpoint"], "", "saved_model"),
        (["best.keras"], "best.keras", "best.keras"),
    ],
)
def test_models_are_found_in_any_directory_of_theirs(tmp_path, files, asked, found):
    for name in [*files, "vocab.txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        (tmp_path / name).with_name("vocab.txt").touch()
    assert find_trained_model(tmp_path / asked).path == tmp_path / found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "{0}/none", "a [MASK]"], "none does not exist; expected a directory of train-bert"),
        (["--model", "{0}", "a [MASK]"], "holds no model"),
        (["--model", "{0}/lonely.keras", "a [MASK]"], "there is no vocab.txt in"),
        (["--model", "{0}", "a mask"], "got 'a mask'; expected a text with [MASK] in it"),
        (["--model", "{0}", "a [MASK]", "--json", "b"], "got 'b'; expected a text with [MASK] in it"),
        (["--model", "{0}", "a [MASK]", "--top", "0"], "expected a number of words, 1 or more"),
        (["--model", "{0}", "a [MASK]", "--tops", "3"], "unknown flag --tops; did you mean --top?"),
        (["a [MASK]"], "required: --model"),
        (["--model", "{0}"], "required: TEXT"),
    ],
)
def test_wrong_usage_is_known_before_tensorflow_is_imported(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.setattr("pipelines.fill_mask.quiet_import", lambda: pytest.fail("imported"))
    (tmp_path / "lonely.keras").touch()
    try:
        status, _, said = run(capsys, *(argument.format(tmp_path) for argument in arguments))
    except ValueError as error:  # a SettingsError, which `run_program` makes status 2
        status, said = 2, str(error)
    assert status == 2
    assert message in said


def test_the_missing_extra_is_named(tokenizer_directory, monkeypatch, capsys):
    monkeypatch.setattr("mlm_data.training.trained_models.find_spec", lambda name: None if name == "keras" else name)
    shutil.copy(tokenizer_directory / "vocab.txt", tokenizer_directory / "model.keras")
    with pytest.raises(ValueError, match=r"keras not installed; models need pip install 'mlm-data\[train\]'"):
        run(capsys, "--model", tokenizer_directory / "model.keras", "a [MASK]")


@settings(deadline=None)
@given(st.lists(st.sampled_from(["w1", "W3", "##c2", "w1c2", "\u00e9t\u00e9", "caf\u00e9,", "\u6771", " ", "\t"])))
def test_the_written_tokenizer_gives_our_ids_and_knows_special_tokens(tokenizer_directory, words):
    theirs = tokenizers.Tokenizer.from_file(str(tokenizer_directory / "tokenizer.json"))
    ours, _ = WordpieceTokenizer(VOCABULARY, WordpieceSettings()).encode([" ".join(words)])
    ids = theirs.encode(" ".join([*words, "[MASK]"]), "w1").ids
    w1 = VOCABULARY.pieces.index("w1")
    sep = VOCABULARY.sep_id
    assert ids == [VOCABULARY.cls_id, *ours.tolist(), VOCABULARY.mask_id, sep, w1, sep]


def test_tokenizer_files_come_back(tokenizer_directory, tmp_path):
    assert read_vocabulary(tokenizer_directory) == VOCABULARY
    shutil.copy(tokenizer_directory / "tokenizer.json", tmp_path)
    assert read_vocabulary(tmp_path).pieces == VOCABULARY.pieces
    assert reads_lower_case(tokenizer_directory)
    assert reads_lower_case(tmp_path)  # as transformers takes it where nothing is said
    write_tokenizer(VOCABULARY, tmp_path, do_lower_case=False, max_length=20)
    assert not reads_lower_case(tmp_path)
