#!/usr/bin/env bash
# Prints the folder of every Go module of the repository, the root first.
set -euo pipefail
cd "$(dirname "$0")/.."

git ls-files -co --exclude-standard -- go.mod '*/go.mod' | sort -u | while read -r file; do
  if [ -f "$file" ]; then dirname "$file"; fi
done
