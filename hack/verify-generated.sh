#!/usr/bin/env bash
# Regenerates and formats a copy of the tree and fails on any difference. The tree
# itself is left alone, so that it may hold work that is not committed.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/before" "$work/after"

git ls-files -z -co --exclude-standard | while IFS= read -r -d '' file; do
  if [ -e "$file" ]; then printf '%s\0' "$file"; fi
done | tar --null -T - -cf "$work/tree.tar"
tar -xf "$work/tree.tar" -C "$work/before"
tar -xf "$work/tree.tar" -C "$work/after"

# The copy is a tree of its own: `make fmt` asks git for its files.
git -C "$work/after" init -q
make -C "$work/after" generate manifests fmt >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
rm -rf "$work/after/.git"

if ! diff -ruN "$work/before" "$work/after"; then
  echo "The differences above are missing here: run make generate manifests fmt" >&2
  exit 1
fi
