"""Exchanges checkpoints with Hugging Face's BERT, in both directions, and compares logits.

A script rather than a test: `transformers` wants PyTorch, this project's trainer TensorFlow, and each lives in an
environment of its own (`make check-hugging-face`). So it is run step by step over one directory: `make` (theirs) writes
checkpoints and their logits, `read` (ours) says what these give here, `write` (ours) makes checkpoints of its own, and
`compare` (theirs) reads those and judges all. `compare-tf` judges what `write` made by the TensorFlow classes that
`transformers` had until its version 4, where PyTorch is not installed (`make check-hugging-face-tf`).

Exit status: 0 every check passed, 1 one did not.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

TOLERANCE = 1e-5
SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "type_vocab_size": 3,
}
VOCABULARY = Path(__file__).parents[2] / "vocab" / "en-uncased-30k.txt"
VOCABULARY_SIZE = 1000  # of their checkpoints
TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "Caf\u00e9 M\u00fcller, na\u00efve [MASK] fa\u00e7ade; 3.14 \u6771\u4eac!",
    f"{'a' * 20} unaffordable\tzzzzqqqq\u0000\u200b",
)
# Their models: class, activation, and whether names are those of files from 2019.
THEIRS = {
    "pretraining": ("BertForPreTraining", "gelu", False),
    "pretraining-2019": ("BertForPreTraining", "gelu_new", True),
    "masked-lm": ("BertForMaskedLM", "gelu", False),
    "encoder": ("BertModel", "gelu", False),
}
# Ours: heads and activation.
OURS: dict[str, tuple[tuple[tuple[str, int], ...], str]] = {
    "nsp": ((("next_sentence", 2),), "gelu"),
    "nsp-tanh": ((("next_sentence", 2), ("genre", 5)), "gelu_tanh"),
    "sop": ((("sentence_order", 2),), "gelu"),
    "mlm": ((), "gelu"),
}

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """One claim, whether it holds, and what was seen."""

    claim: str
    holds: bool
    seen: str


def make_inputs(vocab_size: int) -> dict[str, np.ndarray]:
    """Sequences of random ids and types, one of them full, padded with ids that must not matter."""
    rng = np.random.default_rng(0)
    batch, seq = 6, SHAPE["max_position_embeddings"]
    lengths = np.append(rng.integers(3, seq, batch - 1), seq)
    return {
        "input_ids": rng.integers(0, vocab_size, (batch, seq)),
        "attention_mask": (np.arange(seq) < lengths[:, None]).astype(np.int64),
        "token_type_ids": rng.integers(0, SHAPE["type_vocab_size"], (batch, seq)),
    }


def run_pytorch(model: Any, inputs: Arrays) -> Arrays:
    """What their model gives, by their names, at all positions."""
    import torch

    with torch.no_grad():
        return model.eval()(**{name: torch.from_numpy(array) for name, array in inputs.items()})


def run_tensorflow(model: Any, inputs: Arrays) -> Arrays:
    """The same, of a model of TensorFlow."""
    return model(dict(inputs), training=False)


def by_our_names(outputs: Arrays) -> dict[str, np.ndarray]:
    """What their model gave."""
    names = {
        "prediction_logits": "mlm_logits",
        "logits": "mlm_logits",
        "seq_relationship_logits": "next_sentence_logits",
        "last_hidden_state": "sequence_output",
        "pooler_output": "pooled_output",
    }
    return {ours: outputs[theirs].numpy() for theirs, ours in names.items() if theirs in outputs}


def logits_of_ours(model: Any, inputs: Arrays) -> dict[str, np.ndarray]:
    """What our model gives, at all positions."""
    batch, seq = inputs["input_ids"].shape
    ours = {"input_word_ids": "input_ids", "input_mask": "attention_mask", "input_type_ids": "token_type_ids"}
    features = {name: inputs[theirs].astype(np.int32) for name, theirs in ours.items()}
    features["masked_lm_positions"] = np.tile(np.arange(seq, dtype=np.int32), (batch, 1))
    return {name: np.asarray(value) for name, value in model(features, training=False).items()}


def make(directory: Path) -> int:
    """Theirs: checkpoints with random weights, and what they give."""
    import torch
    import transformers
    from safetensors.torch import load_file, save_file

    transformers.utils.logging.disable_progress_bar()
    inputs = make_inputs(VOCABULARY_SIZE)
    for name, (kind, activation, old_names) in THEIRS.items():
        torch.manual_seed(len(name))
        config = transformers.BertConfig(vocab_size=VOCABULARY_SIZE, hidden_act=activation, **SHAPE)
        model = getattr(transformers, kind)(config)
        with torch.no_grad():  # biases and norms are zeros and ones at first, which hides mistakes
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(directory / "theirs" / name)
        if old_names:
            file = directory / "theirs" / name / "model.safetensors"
            renamed = {
                key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
                for key, tensor in load_file(file).items()
            }
            renamed["bert.embeddings.position_ids"] = torch.arange(config.max_position_embeddings)[None]
            renamed["cls.predictions.decoder.weight"] = renamed["bert.embeddings.word_embeddings.weight"].clone()
            save_file(renamed, file, {"format": "pt"})
        np.savez(directory / "theirs" / f"{name}.npz", **by_our_names(run_pytorch(model, inputs)))
    return 0


def read(directory: Path) -> int:
    """Ours: reads theirs, and says what they give here."""
    from mlm_data.training.huggingface import load_weights, read_config
    from mlm_data.training.model import build_model

    for name in THEIRS:
        checkpoint = directory / "theirs" / name
        model = build_model(read_config(checkpoint))
        loaded = load_weights(model, checkpoint)
        said = {"initialized": loaded.initialized, "unused": loaded.unused}
        np.savez(
            directory / "theirs" / f"{name}.ours.npz", **logits_of_ours(model, make_inputs(VOCABULARY_SIZE)), **said
        )
    return 0


def write(directory: Path) -> int:
    """Ours: models with random weights, the ids of some texts, and what they give."""
    import keras

    from mlm_data.config import WordpieceSettings
    from mlm_data.storage import LocalStorage
    from mlm_data.training.huggingface import write_checkpoint
    from mlm_data.training.model import ModelConfig, build_model
    from mlm_data.vocabulary import Vocabulary
    from mlm_data.wordpiece import WordpieceTokenizer

    vocabulary = Vocabulary.load(str(VOCABULARY), LocalStorage())
    tokenizer = WordpieceTokenizer(vocabulary, WordpieceSettings())
    ids, offsets = tokenizer.encode([text.replace("[MASK]", "") for text in TEXTS])
    tokens = {f"text_{row}": ids[offsets[row] : offsets[row + 1]] for row in range(len(TEXTS))}
    for name, (heads, activation) in OURS.items():
        keras.utils.set_random_seed(len(name))
        config = ModelConfig(len(vocabulary), hidden_act=activation, heads=heads, **SHAPE)
        model = build_model(config)
        noise = np.random.default_rng(1)
        model.set_weights([weight + noise.normal(0, 0.1, weight.shape) for weight in model.get_weights()])
        write_checkpoint(model, config, vocabulary, directory / "ours" / name, do_lower_case=True)
        outputs = logits_of_ours(model, make_inputs(len(vocabulary)))
        np.savez(directory / "ours" / f"{name}.npz", **outputs, **tokens)
    return 0


def compare(directory: Path) -> int:
    """Theirs: reads ours, and judges both directions."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    checks = [*check_theirs(directory), *check_ours(directory, "", run_pytorch)]
    return report(f"transformers {transformers.__version__}, PyTorch {torch.__version__}", checks)


def compare_tf(directory: Path) -> int:
    """Theirs, of TensorFlow: reads ours."""
    import tensorflow
    import transformers

    transformers.utils.logging.set_verbosity_error()
    others = f"TensorFlow {tensorflow.__version__}, PyTorch {'there' if find_spec('torch') else 'not installed'}"
    checks = check_ours(directory, "TF", run_tensorflow)
    return report(f"transformers {transformers.__version__}, {others}", list(checks))


def report(versions: str, checks: Sequence[Check]) -> int:
    """Prints a verdict on each check; gives the exit status."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(versions, highlight=False)
    table = Table(title="Checks")
    for title in ("", "check", "seen"):
        table.add_column(title)
    for check in checks:
        table.add_row("[green]ok[/]" if check.holds else "[bold red]FAILED[/]", check.claim, escape(check.seen))
    console.print(table)
    return 0 if checks and all(check.holds for check in checks) else 1


def check_theirs(directory: Path) -> Iterator[Check]:
    """Their checkpoints, read by us."""
    lacking = {
        "pretraining": [],
        "pretraining-2019": [],
        "masked-lm": ["pooler"],
        "encoder": ["mlm_bias", "mlm_norm", "mlm_transform", "next_sentence_logits"],
    }
    for name in THEIRS:
        theirs = np.load(directory / "theirs" / f"{name}.npz")
        ours = np.load(directory / "theirs" / f"{name}.ours.npz")
        yield close(f"{name}: read by us, it gives the same", theirs, ours)
        initialized = sorted({str(path).split("/")[0] for path in ours["initialized"]})
        yield Check(
            f"{name}: only what it lacks is new, nothing is unused",
            initialized == lacking[name] and not ours["unused"].size,
            ", ".join(initialized) or "nothing is",
        )


def check_ours(directory: Path, prefix: str, run: Callable[[Any, Arrays], Arrays]) -> Iterator[Check]:
    """Our checkpoints, read by them: by classes with this prefix, whose models are run so."""
    import transformers

    for name, (heads, _) in OURS.items():
        checkpoint, written = directory / "ours" / name, np.load(directory / "ours" / f"{name}.npz")
        kind = prefix + ("BertForPreTraining" if ("next_sentence", 2) in heads else "BertForMaskedLM")
        model, info = getattr(transformers, kind).from_pretrained(checkpoint, output_loading_info=True)
        problems = {key: found for key, found in info.items() if found}
        yield Check(
            f"{name}: {kind} finds each key and no other",
            {"missing_keys", "unexpected_keys"} <= info.keys() and not problems,
            str(problems or "nothing missing, unexpected or mismatched"),
        )
        theirs = by_our_names(run(model, make_inputs(model.config.vocab_size)))
        yield close(f"{name}: read by {kind}, it gives the same", theirs, written)
        tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
        yield Check(
            f"{name}: the tokenizer gives the same ids, and [MASK] its own",
            all(
                [token for token in tokenizer(text)["input_ids"] if token not in tokenizer.all_special_ids]
                == [token for token in written[f"text_{row}"].tolist() if token not in tokenizer.all_special_ids]
                for row, text in enumerate(TEXTS)
            )
            and tokenizer(TEXTS[1])["input_ids"].count(tokenizer.mask_token_id) == 1
            and tokenizer.model_max_length == SHAPE["max_position_embeddings"],
            f"{type(tokenizer).__name__}, {len(tokenizer)} pieces",
        )


def close(claim: str, theirs: Arrays, ours: Arrays) -> Check:
    """Whether two models agree on everything that theirs gives."""
    differences = {name: float(np.abs(theirs[name] - ours[name]).max()) for name in theirs}
    seen = ", ".join(f"{name} {difference:.1e}" for name, difference in differences.items())
    return Check(claim, bool(differences) and max(differences.values()) < TOLERANCE, seen)


def main() -> int:
    """Runs one of the steps."""
    parser = argparse.ArgumentParser(description="Exchanges checkpoints with Hugging Face's BERT.")
    steps = {"make": make, "read": read, "write": write, "compare": compare, "compare-tf": compare_tf}
    parser.add_argument("step", choices=steps)
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    for side in ("ours", "theirs"):
        (arguments.directory / side).mkdir(parents=True, exist_ok=True)
    return steps[arguments.step](arguments.directory)


if __name__ == "__main__":
    sys.exit(main())
