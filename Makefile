# Two commands for a newcomer: `make demo` and `make test`. Both set up their own virtual environment.

PYTHON ?= python3
VENV ?= .venv
DEMO ?= out/demo
BENCH ?= --input 'samples/corpus/**' --megabytes 1 --growth --growth_megabytes 1 2 4 --growth_dupe_megabytes 1
BERT ?=
BERT_CHECK ?= --input 'samples/corpus/**' --megabytes 0.3
BIN := $(VENV)/bin
TFDS_VENV := .venv-tfds
TFDS_NEEDS := tensorflow-cpu tensorflow-datasets numpy protobuf pyarrow google-crc32c xxhash zlib-ng
GARDEN_VENV := .venv-model-garden
# tensorflow_hub needs pkg_resources, which setuptools 82 dropped.
GARDEN_NEEDS := tf-models-official==2.20.0 pyarrow 'setuptools<82'
HF_VENV := .venv-hugging-face
HF_NEEDS := transformers torch==2.13.0 safetensors rich
HF_EXCHANGE := out/hugging-face
# Of the versions that still have TensorFlow classes; its tokenizers have no wheels for Python 3.13. Without PyTorch.
HF_TF_VENV := .venv-hugging-face-tf
HF_TF_NEEDS := transformers==4.41.2 tensorflow==2.20.0 tf-keras==2.20.1 safetensors rich
HF_TF_EXCHANGE := out/hugging-face-tf
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test lint types unit bench clean check-google-bert check-hugging-face check-hugging-face-tf \
  check-model-garden check-seeds check-tfds

help:
	@echo "make demo                   turn the sample corpus into shards in $(DEMO)"
	@echo "make test                   set up and run linters, type checker and tests"
	@echo "make bench                  measure against baselines: BENCH=\"--input 'books/*.txt' --bert DIR --growth\""
	@echo "make check-seeds            let the validator pass sound datasets of a hundred seeds"
	@echo "make check-tfds             read the demo's shards with TensorFlow Datasets"
	@echo "make check-model-garden     train on the demo's shards with TF Model Garden"
	@echo "make check-hugging-face     exchange checkpoints with transformers, both ways"
	@echo "make check-hugging-face-tf  read our checkpoints with the TensorFlow classes of transformers 4.41"
	@echo "make check-google-bert      compare with a checkout of google-research/bert, find its defects: BERT=../bert"
	@echo "make clean                  delete environments and outputs"

$(VENV)/made: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "got $$($(PYTHON) --version), expected Python 3.11 or newer: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/made-dev: $(VENV)/made
	$(PIP_INSTALL) --editable '.[dev]'
	@# It asks for `tensorflow`, twice the size of the tensorflow-cpu that is there; not to be had everywhere.
	-$(PIP_INSTALL) --no-deps 'tensorflow-text~=2.21.0'
	touch $@

demo: $(VENV)/made
	$(BIN)/make-pretraining-data --input 'samples/corpus/**' --vocab_file vocab/en-uncased-30k.txt \
	  --output_dir $(DEMO) --overwrite

test: lint types unit

lint: $(VENV)/made-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/made-dev
	$(BIN)/mypy

unit: $(VENV)/made-dev
	$(BIN)/pytest

check-seeds: $(VENV)/made-dev
	SEEDS=100 $(BIN)/pytest tests/test_validation.py -k sound_datasets

# Checkouts of the baselines are named in BENCH (--bert DIR, --lddl DIR); those that are not are reported as missing.
bench: $(VENV)/made-dev
	$(BIN)/python -m benchmarks --vocab_file vocab/en-uncased-30k.txt --output out/bench $(BENCH)

# Peers: programs of others that read our shards, each in an environment of its own.

$(TFDS_VENV)/made:
	$(PYTHON) -m venv $(TFDS_VENV)
	$(TFDS_VENV)/bin/pip install --quiet --disable-pip-version-check $(TFDS_NEEDS)
	touch $@

check-tfds: $(TFDS_VENV)/made demo
	PYTHONPATH=. TF_CPP_MIN_LOG_LEVEL=3 $(TFDS_VENV)/bin/python tests/peers/tfds_reader.py $(DEMO)

$(GARDEN_VENV)/made:
	$(PYTHON) -m venv $(GARDEN_VENV)
	$(GARDEN_VENV)/bin/pip install --quiet --disable-pip-version-check $(GARDEN_NEEDS)
	touch $@

check-model-garden: $(GARDEN_VENV)/made demo
	PYTHONPATH=. TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=-1 \
	  $(GARDEN_VENV)/bin/python tests/peers/model_garden.py $(DEMO)
	$(BIN)/make-pretraining-data --input 'samples/corpus/**' --vocab_file vocab/en-uncased-30k.txt \
	  --output_dir $(DEMO)-lengths --sequence_buckets 32 64 96 128 --overwrite
	PYTHONPATH=. TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=-1 \
	  $(GARDEN_VENV)/bin/python tests/peers/model_garden.py $(DEMO)-lengths

$(HF_VENV)/made:
	$(PYTHON) -m venv $(HF_VENV)
	$(HF_VENV)/bin/pip install --quiet --disable-pip-version-check $(HF_NEEDS)
	touch $@

# Theirs, ours, theirs: PyTorch and TensorFlow never meet in one environment.
check-hugging-face: $(HF_VENV)/made $(VENV)/made-dev
	rm -rf $(HF_EXCHANGE)
	PYTHONPATH=. $(HF_VENV)/bin/python tests/peers/hugging_face.py make $(HF_EXCHANGE)
	for step in read write; do \
	  PYTHONPATH=. TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=-1 \
	    $(BIN)/python tests/peers/hugging_face.py $$step $(HF_EXCHANGE) || exit; \
	done
	PYTHONPATH=. $(HF_VENV)/bin/python tests/peers/hugging_face.py compare $(HF_EXCHANGE)

$(HF_TF_VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 13))' || \
	  { echo "got $$($(PYTHON) --version), expected Python 3.12 or older: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(HF_TF_VENV)
	$(HF_TF_VENV)/bin/pip install --quiet --disable-pip-version-check $(HF_TF_NEEDS)
	touch $@

# Ours, theirs.
check-hugging-face-tf: $(HF_TF_VENV)/made $(VENV)/made-dev
	rm -rf $(HF_TF_EXCHANGE)
	PYTHONPATH=. TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=-1 \
	  $(BIN)/python tests/peers/hugging_face.py write $(HF_TF_EXCHANGE)
	PYTHONPATH=. TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=-1 \
	  $(HF_TF_VENV)/bin/python tests/peers/hugging_face.py compare-tf $(HF_TF_EXCHANGE)

# The script itself, on the development environment's TensorFlow: BERT names its checkout, BERT_CHECK other text.
check-google-bert: $(VENV)/made-dev
	PYTHONPATH=. $(BIN)/python tests/peers/google_bert.py --bert '$(BERT)' \
	  --vocab_file vocab/en-uncased-30k.txt $(BERT_CHECK)
	PYTHONPATH=. $(BIN)/python tests/peers/google_bert_verified.py --bert '$(BERT)' \
	  --vocab_file vocab/en-uncased-30k.txt $(BERT_CHECK)

clean:
	rm -rf .venv* out
