#!/usr/bin/env bash
# Runs the tests of every module that has some, against the control plane that
# hack/envtest.sh provides. Arguments go to `go test`. The module hack/browser is left to
# `make test-browser`, hack/release to `make test-release`, test/gitops to `make test-gitops`,
# test/interop to `make test-interop`, and test/monitoring to `make test-alerts`.
set -euo pipefail
cd "$(dirname "$0")/.."

KUBEBUILDER_ASSETS=$(hack/envtest.sh)
export KUBEBUILDER_ASSETS

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
  # The loop's stories take longer than all others together: they begin first.
  first=$(grep /controllers$ <<<"$tested" || true)
  # shellcheck disable=SC2086 # one argument, or none
  go -C "$module" test "$@" $first ./... || failed=1
  echo "test: module $module took $((SECONDS - began)) s"
done < <(hack/modules.sh)
exit "$failed"
