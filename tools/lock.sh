#!/usr/bin/env bash
# Write requirements.lock (versions and hashes only) from pyproject.toml. Usage: make lock
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
python3 -m venv "$tool"
"$tool/bin/pip" install --quiet --disable-pip-version-check uv
"$tool/bin/uv" pip compile pyproject.toml --extra cpu --extra dev --universal --python-version 3.11 --generate-hashes \
  --no-header --no-emit-index-url --no-annotate --quiet --output-file requirements.lock
