#!/usr/bin/env bash
# Makes a locked environment: deploy/setup.sh FOLDER [LOCK]. Needs Python 3.11 or newer with its
# venv module; uv is installed beside the environment when it is missing. Without LOCK it is the one
# of this checkout, with its code; with one, it holds what the lock names and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
lock=${2:-requirements/dev.txt}
say() { printf '%s\n' "$*" >&2; }

find_python() {
  local name
  for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      "$name" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  return 1
}

python=$(find_python) || {
  say "setup: needs Python 3.11 or newer; found: $(python3 --version 2>&1 || echo none)"
  exit 1
}
if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
  say "setup: $python lacks its venv module (on Debian: apt-get install python3-venv)"
  exit 1
fi

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
  uv=build/bootstrap/bin/uv
  if [ ! -x "$uv" ]; then
    say "setup: installing uv"
    "$python" -m venv build/bootstrap
    build/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check \
      --require-hashes -r requirements/bootstrap.txt
  fi
fi

say "setup: installing the locked packages into $venv ($("$python" --version))"
[ -x "$venv/bin/python" ] || "$uv" venv --quiet --python "$python" "$venv"
sync=("$uv" pip sync --python "$venv/bin/python" --require-hashes --compile-bytecode
  "$lock")
if [ -t 2 ]; then
  "${sync[@]}"  # shows a bar for each download
else
  "${sync[@]}" 2>&1 | sed '/^ [-+~] /d' >&2  # what it downloads, not every package's name
fi
[ $# -gt 1 ] ||
  "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
