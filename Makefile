# `make demo`  set up .venv and run a synthetic study through the whole node
# `make test`  set up .venv and run the tests
# `make check` lint, types, import rules, all tests: what CI runs
# `make fast`  the checks that take under a minute

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo test check fast setup lock bench

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

lock: setup
	BIN=$(BIN) tools/lock.sh
