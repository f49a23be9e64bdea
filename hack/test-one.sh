#!/usr/bin/env bash
# Runs the tests that a piece of text (a regular expression) names: a Go test, a row of
# a table, or Ginkgo specs.
#
#   hack/test-one.sh TestColumns
#   hack/test-one.sh 'a secretName stays'
set -euo pipefail
cd "$(dirname "$0")/.."

focus=${1:-}
if [ -z "$focus" ]; then
  echo "Say which: make test-one FOCUS='a secretName stays'" >&2
  exit 2
fi
KUBEBUILDER_ASSETS=$(hack/envtest.sh)
export KUBEBUILDER_ASSETS

ginkgo='"github.com/onsi/ginkgo/v2"'
tests() { find . -name '*_test.go' -not -path './bin/*' -not -path './.git/*'; }

# Rows of tables stand in the file that names them; specs may be named across levels.
plain=()
specs=()
while read -r file; do
  if grep -qF "$ginkgo" "$file"; then
    specs+=("$(dirname "$file")")
  else
    plain+=("$file")
  fi
done < <(tests | xargs grep -lE -- "$focus" || true)
if [ ${#plain[@]} -eq 0 ] && [ ${#specs[@]} -eq 0 ]; then
  while read -r file; do specs+=("$(dirname "$file")"); done < <(tests | xargs grep -lF -- "$ginkgo" || true)
fi
if [ ${#plain[@]} -eq 0 ] && [ ${#specs[@]} -eq 0 ]; then
  echo "No test mentions: $focus" >&2
  exit 1
fi

for file in ${plain[@]+"${plain[@]}"}; do
  if grep -qE -- "^func Test.*($focus)|^func ($focus)" "$file"; then
    pattern=$focus
  else
    names=$(sed -nE 's/^func (Test[A-Za-z0-9_]*)\(.*/\1/p' "$file" | grep -v '^TestMain$' | paste -sd '|' -)
    if [ -z "$names" ]; then continue; fi
    pattern="^($names)\$/$focus"
  fi
  go test -count=1 -v -run "$pattern" "$(dirname "$file")"
done
for package in $(printf '%s\n' ${specs[@]+"${specs[@]}"} | sort -u); do
  go test -count=1 -v "$package" -ginkgo.focus "$focus"
done
