#!/usr/bin/env bash
# Works out every locked version anew: the Python packages, then the broker's jars.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo build/bootstrap/bin/uv)

compile() {
  "$uv" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --custom-compile-command "make lock" "$@"
}

compile requirements/bootstrap.in -o requirements/bootstrap.txt
compile requirements/peers.in -o requirements/peers.txt
compile pyproject.toml -o requirements/run.txt
compile pyproject.toml --group local -c requirements/run.txt -o requirements/local.txt
compile pyproject.toml --group dev -c requirements/local.txt -o requirements/dev.txt
for lock in deploy/local/kafka-*.lock; do
  version=${lock##*kafka-}
  .venv/bin/python -m deploy.local lock "${version%.lock}"
done
