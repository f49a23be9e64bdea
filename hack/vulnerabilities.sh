#!/usr/bin/env bash
# Fails when what users run calls code with a known vulnerability. govulncheck looks it up
# in the Go vulnerability database, or in the one whose URL GOVULNDB holds (file:// too).
#
# Where the database is out of reach nothing was looked for: the last line then begins with
# "vulnerabilities: skipped: ", and the exit code is 0, so that a machine without a network
# can still run everything. Read the line, not the code alone: .ci/run does.
#
# Modules under hack/ and test/ are left out: they pin tools, a test control plane on loopback,
# a browser test and a server to test against, which run on a developer's machine and in nothing
# that is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

arguments=()
if [ -n "${GOVULNDB:-}" ]; then
  arguments=(-db "$GOVULNDB") # govulncheck itself does not look at the variable
fi
govulncheck=$(go -C hack/tools/vulnerabilities tool -n govulncheck)
complaint=$(mktemp)
trap 'rm -f "$complaint"' EXIT

# outOfReach tells a database that does not answer from any other failure: govulncheck
# ends with 1 for all of them and says more only in words. A database of one's own by HTTP
# that does not answer it calls one of an unrecognized format. A file is never out of reach.
outOfReach() {
  [[ ${GOVULNDB:-} != file:* ]] && grep -qE '(^|: )(fetching vulnerabilities|creating client: unrecognized vulndb format)' "$complaint"
}

failed=0
skipped=0
while read -r module; do
  case $module in hack/* | test/* | fakespaces/example) continue ;; esac
  echo "vulnerabilities: looking at module $module"
  code=0
  "$govulncheck" ${arguments[@]+"${arguments[@]}"} -C "$module" ./... 2>"$complaint" || code=$?
  cat "$complaint" >&2
  if [ "$code" -eq 0 ]; then
    continue
  elif [ "$code" -eq 3 ]; then
    echo "vulnerabilities: module $module calls vulnerable code; update what the lines above name" >&2
    failed=1
  elif outOfReach; then
    skipped=1
  else
    echo "vulnerabilities: module $module could not be looked at; the lines above say why" >&2
    failed=1
  fi
done < <(hack/modules.sh)

if [ "$failed" -ne 0 ]; then
  exit 1
elif [ "$skipped" -ne 0 ]; then
  echo "vulnerabilities: skipped: the vulnerability database cannot be had here"
else
  echo "vulnerabilities: none known in what is called"
fi
