"""What the ways of masking cost, as far as that can be told without a clock."""

from __future__ import annotations

from benchmarks.masking import STRATEGIES, main
from tests.making import vocabulary_content


def test_all_ways_of_masking_are_measured(tmp_path, capsys):
    text, vocabulary = tmp_path / "text.txt", tmp_path / "vocab.txt"
    text.write_text("w1 w3. w1 w3 w5. w3 w1 w1.\n\n" * 20)
    vocabulary.write_bytes(vocabulary_content())
    arguments = ["--input", f"paragraphs:{text}", "--vocab_file", str(vocabulary), "--repeats", "1"]
    assert main([*arguments, "--max_seq_length", "16"]) == 0
    printed = capsys.readouterr().out
    assert all(strategy in printed for strategy in STRATEGIES)
