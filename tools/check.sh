#!/usr/bin/env bash
# Format, lint, types, import rules and fast tests; with --all also the tests with real neighbours (what CI runs).
# Usage: [BIN=.venv/bin] tools/check.sh [--all]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:-.venv/bin}

run() { echo "== $*" && "$@"; }

run "$bin/ruff" format --check .
run "$bin/ruff" check .
run "$bin/mypy" node tools
run "$bin/lint-imports"
if [ "${1:-}" = "--all" ]; then
  run "$bin/python" tools/audit.py
  run tools/install_neighbours.sh
  run "$bin/python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder
else
  run "$bin/python" -m pytest tests/architecture tests/unit tests/property -n 2
fi
