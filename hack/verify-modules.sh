#!/usr/bin/env bash
# Fails when a go.mod or go.sum is not what `go mod tidy` would write.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
while read -r module; do
  if ! go -C "$module" mod tidy -diff; then
    echo "Out of date: run go -C $module mod tidy" >&2
    failed=1
  fi
done < <(hack/modules.sh)
exit "$failed"
