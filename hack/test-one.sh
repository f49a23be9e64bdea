#!/usr/bin/env bash
# Runs the tests that a piece of text (a regular expression) names, and those alone: a Go
# test, a row of a table, or Ginkgo specs. It fails where that is none.
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
export KUBEBUILDER_ASSETS focus

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ran=0
failed=0

ginkgo='"github.com/onsi/ginkgo/v2"'
folders() { sed 's|/[^/]*$||' | sort -u; }
tests() { find . -name '*_test.go' -not -path './bin/*' -not -path './.git/*'; }

# pattern FILE ... prints the argument of -run for what the focus names in the files of a
# folder: whole tests by their names, and rows by where they stand. A row beside the tests
# may be of any test in its file, unless that holds specs.
pattern() {
  awk -v ginkgo="$ginkgo" '
    function add(list, name) { return list (list == "" ? "" : "|") name }
    function close_file() { if (beside && !specs) rows = add(rows, all); all = ""; beside = specs = 0 }
    FNR == 1 { close_file() }
    index($0, ginkgo) { specs = 1 }
    /^func / { test = "" }
    match($0, /^func (Test|Fuzz|Example)[A-Za-z0-9_]*/) {
      test = substr($0, 6, RLENGTH - 5)
      all = add(all, test)
      if (test ~ ENVIRON["focus"]) { whole = add(whole, test); next }
    }
    /RunSpecs\(/ { next }
    $0 ~ ENVIRON["focus"] { if (test == "") beside = 1; else rows = add(rows, test) }
    /^}/ || /^func .*}$/ { test = "" }
    END {
      close_file()
      if (whole != "") found = "^(" whole ")$"
      row = ENVIRON["focus"]
      if (index(row, "|")) row = "(" row ")"
      if (rows != "") found = add(found, "^(" rows ")$/" row)
      print found
    }' "$@"
}

# chosen passes on what go test -v says of the tests that were named, and how many they
# are into a file. Others had to be entered to look for rows: they are told if they fail.
chosen() {
  awk -v count="$work/count" '
    BEGIN { text = ENVIRON["focus"]; gsub(/ /, "_", text) }
    function named(test) { row = test; sub(/^[^\/]*\//, "", row); return test ~ text || row ~ text }
    /^ *=== / { current = $3; next }
    /^(PASS$|ok |testing: warning: no tests to run)/ { next }
    /^ *--- (PASS|FAIL|SKIP): / {
      if (named($3)) n++
      else if ($2 != "FAIL:") { held = ""; next }
      printf "%s", held
      held = ""; current = ""
    }
    current != "" && !named(current) { held = held $0 "\n"; next }
    { print }
    END { printf "%s", held; print n + 0 >count }'
}

for folder in $(tests | xargs grep -lE -- "$focus" | folders); do
  run=$(pattern "$folder"/*_test.go)
  if [ -z "$run" ]; then continue; fi
  go -C "$folder" test -count=1 -v -run "$run" . 2>&1 | chosen || failed=1
  ran=$((ran + $(cat "$work/count")))
done

# mentioned tells whether the specs of a folder hold the focus.
mentioned() { grep -lF -- "$ginkgo" "$1"/*_test.go | xargs grep -hv '^func ' | grep -E -- "$focus" >/dev/null; }

# Specs may be named across levels, so that no file holds the text.
for folder in $(tests | xargs grep -lF -- "$ginkgo" | folders); do
  if [ "$ran" -gt 0 ] && ! mentioned "$folder"; then continue; fi
  suite=$(awk '/^func Test/ { sub(/\(.*/, "", $2); name = $2 } /RunSpecs\(/ { print name }' "$folder"/*_test.go)
  specs() {
    (cd "$folder" && "$work/specs" -test.run "^$suite\$" -test.timeout 30m -ginkgo.focus "$focus" \
      -ginkgo.succinct -ginkgo.silence-skips -ginkgo.no-color "$@")
  }
  echo "test-one: building the specs of $folder"
  go -C "$folder" test -c -o "$work/specs" .
  said=$(specs -ginkgo.dry-run) || { echo "$said"; exit 1; }
  named=$(sed -nE 's|.* - ([0-9]+)/[0-9]+ specs.*|\1|p' <<<"$said")
  if [ "$named" -eq 0 ]; then continue; fi
  ran=$((ran + named))
  specs -ginkgo.junit-report "$work/report.xml" || failed=1
  sed -nE '/status="skipped"/d; s|.*<testcase name="\[It\] ([^"]*)".* status="([a-z]+)".*|\2: \1|p' "$work/report.xml" |
    sed "s/&#34;/\"/g; s/&#39;/'/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g"
done

if [ "$ran" -eq 0 ] && [ "$failed" -eq 0 ]; then
  echo "test-one: no test, row or spec is called so: $focus" >&2
  exit 1
fi
exit "$failed"
