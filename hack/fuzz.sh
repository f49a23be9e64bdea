#!/usr/bin/env bash
# Runs every fuzz target of the packages that read what others wrote, one after another.
# The first argument is how long each runs. A failing input is kept under testdata/fuzz
# of its package: commit it with the fix, and every later test run tries it again.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-10s}
failed=0
for package in ./internal/spacesauth ./internal/secrettemplate ./internal/grantstate ./internal/seal; do
  for target in $(go test "$package" -list '^Fuzz' | grep '^Fuzz'); do
    echo "fuzz: $target in $package, for $time"
    # Looking for the shortest form of every odd input would take most of the time.
    if said=$(go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x 2>&1); then
      grep '^fuzz: elapsed' <<<"$said" | tail -1
    elif grep -q 'context deadline exceeded' <<<"$said" && ! grep -q 'Failing input' <<<"$said"; then
      # Go's own deadline ends a worker in the middle of an input now and then.
      grep '^fuzz: elapsed' <<<"$said" | tail -1
    else
      grep -v '^fuzz: elapsed' <<<"$said" || true
      failed=1
    fi
  done
done
exit "$failed"
