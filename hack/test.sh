#!/usr/bin/env bash
# Runs the tests of every module that has some, against the control plane that
# hack/envtest.sh provides. Arguments go to `go test`; the stories
# of the loop are run by hack/specs.sh. The module hack/browser is left to
# `make test-browser`, hack/release to `make test-release`, test/gitops to `make test-gitops`,
# test/interop to `make test-interop`, and test/monitoring to `make test-alerts`.
set -euo pipefail
cd "$(dirname "$0")/.."

KUBEBUILDER_ASSETS=$(hack/envtest.sh)
export KUBEBUILDER_ASSETS

log=$(mktemp)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -f "$log"' EXIT
failed=0
while read -r module; do
  case $module in hack/browser | hack/release | test/gitops | test/interop | test/monitoring | fakespaces/example) continue ;; esac
  # Modules that only pin tools hold no packages, and so no tests.
  tested=$(go -C "$module" list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... 2>/dev/null || true)
  if [ -z "$tested" ]; then
    # A package that cannot be listed must not pass for one without tests.
    go -C "$module" list ./... 2>&1 >/dev/null | { grep -v 'matched no packages' >&2 || true; }
    continue
  fi
  began=$SECONDS
  echo "test: $(grep -c . <<<"$tested") packages with tests in module $module"
  # The loop's stories take longer than all others together, and mostly wait for their API servers:
  # they are told beside the others.
  specs=
  if grep -q /controllers$ <<<"$tested"; then
    echo "test: the loop's stories are told beside the other tests, and shown after them"
    hack/specs.sh >"$log" 2>&1 &
    specs=$!
  fi
  go -C "$module" test -skip '^TestControllers$' "$@" ./... || failed=1
  if [ -n "$specs" ]; then
    wait "$specs" || failed=1
    cat "$log"
  fi
  echo "test: module $module took $((SECONDS - began)) s"
done < <(hack/modules.sh)
exit "$failed"
