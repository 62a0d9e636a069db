# `make demo`  set up .venv and run a synthetic study through the whole node
# `make test`  set up .venv and run the tests
# `make check` lint, types, import rules, all tests: what CI runs
# `make fast`  the checks that take under a minute
# `make nightly` the fault tests in full, with their counts
# `make bench` the node beside its peers: bench/latest.json, and the table in README.md

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo test check fast nightly setup lock bench

setup:
	VENV=$(VENV) PYTHON=$(PYTHON) tools/setup.sh

demo: setup
	$(BIN)/python tools/demo.py

test: setup
	$(BIN)/python -m pytest

check: setup
	BIN=$(BIN) tools/check.sh --all

fast: setup
	BIN=$(BIN) tools/check.sh

nightly: setup
	NIGHTLY=1 $(BIN)/python -m pytest tests/faults -rP

bench: setup
	$(BIN)/python -m tools.benchmark
	$(BIN)/python -m tools.benchmark table --write

lock: setup
	BIN=$(BIN) tools/lock.sh
