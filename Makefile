# Two commands for a newcomer: `make demo` and `make test`. Both set up their own virtual environment.

PYTHON ?= python3
VENV ?= .venv
DEMO ?= out/demo
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test lint types unit clean check-model-garden check-tfds

help:
	@echo "make demo                 turn the sample corpus into shards in $(DEMO)"
	@echo "make test                 set up and run linters, type checker and tests"
	@echo "make check-tfds           read the demo's shards with TensorFlow Datasets"
	@echo "make check-model-garden   train on the demo's shards with TF Model Garden"
	@echo "make clean                delete environments and outputs"

$(VENV)/made: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "got $$($(PYTHON) --version), expected Python 3.11 or newer: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/made-dev: $(VENV)/made
	$(PIP_INSTALL) --editable '.[dev]'
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

clean:
	rm -rf .venv* out
