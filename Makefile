# `make demo`  set up .venv and run a synthetic study through the whole node
# `make test`  set up .venv and run the tests
# `make check` lint, types, import rules, all tests: what CI runs
# `make fast`  the checks that take under a minute
# `make nightly` the fault tests in full, with their counts

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

lock: setup
	BIN=$(BIN) tools/lock.sh
