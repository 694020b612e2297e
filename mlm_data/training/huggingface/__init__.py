"""Hugging Face's BERT checkpoints, read and written: `config.json`, `model.safetensors` and the tokenizer's files."""

from mlm_data.training.huggingface.reading import Loaded, check_vocabulary, load_weights, read_config
from mlm_data.training.huggingface.writing import write_checkpoint

__all__ = ["Loaded", "check_vocabulary", "load_weights", "read_config", "write_checkpoint"]
