#!/usr/bin/env bash
# Runs the tests of every module that has some, against the control plane that
# hack/envtest.sh provides. Arguments go to `go test`.
set -euo pipefail
cd "$(dirname "$0")/.."

KUBEBUILDER_ASSETS=$(hack/envtest.sh)
export KUBEBUILDER_ASSETS

if ! command -v chromium chromium-browser google-chrome >/dev/null 2>&1; then
  echo "test: hack/browser signs in with a real browser; it is skipped, because there is no Chromium here (apt-get install chromium)"
fi

failed=0
while read -r module; do
  # Modules that only pin tools hold no packages, and so no tests.
  tested=$(go -C "$module" list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... 2>/dev/null || true)
  if [ -z "$tested" ]; then
    # A package that cannot be listed must not pass for one without tests.
    go -C "$module" list ./... 2>&1 >/dev/null | { grep -v 'matched no packages' >&2 || true; }
    continue
  fi
  began=$SECONDS
  echo "test: $(grep -c . <<<"$tested") packages with tests in module $module"
  go -C "$module" test "$@" ./... || failed=1
  echo "test: module $module took $((SECONDS - began)) s"
done < <(hack/modules.sh)
exit "$failed"
