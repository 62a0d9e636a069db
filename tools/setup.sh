#!/usr/bin/env bash
# Make a virtual environment with the locked dependencies and this package in editable form.
# Usage: [VENV=.venv] [PYTHON=python3] tools/setup.sh
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
python=${PYTHON:-python3}
stamp="$venv/.installed"
wanted=$(cat requirements.lock pyproject.toml | sha256sum | cut -d' ' -f1)

if [ ! -x "$venv/bin/python" ]; then
  "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
    || { echo "Python 3.11 to 3.13 is needed, $("$python" --version) was found: set PYTHON=..." >&2; exit 1; }
  "$python" -m venv "$venv" \
    || { echo "python3-venv is needed: apt-get install python3-venv" >&2; exit 1; }
fi
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0
echo "installing into $venv (once)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
echo "$wanted" > "$stamp"
