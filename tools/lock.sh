#!/usr/bin/env bash
# Write requirements.lock and the locks of the images, docker/*.lock (versions and hashes only), from pyproject.toml.
# Usage: make lock
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
python3 -m venv "$tool"
"$tool/bin/pip" install --quiet --disable-pip-version-check uv
lock() { # what to lock, then options; what was locked before keeps its version
  "$tool/bin/uv" pip compile "$@" --generate-hashes --no-header --no-emit-index-url --no-annotate --quiet
}
lock pyproject.toml --extra cpu --extra dev --universal --python-version 3.11 --output-file requirements.lock

# the images: Python 3.12 on Linux, versions as above
known="$tool/known.txt"
sed -n 's/ \\$//; /^[a-z0-9].*==/p' requirements.lock > "$known"
image() { lock "$@" --constraint "$known" --python-version 3.12 --python-platform x86_64-manylinux_2_28; }
image pyproject.toml --extra cpu --extra postgres --output-file docker/cpu.lock
image pyproject.toml --extra gpu --extra postgres --output-file docker/cuda.lock
echo hatchling > "$tool/build.in"
image "$tool/build.in" --output-file docker/build.lock
