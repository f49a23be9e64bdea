#!/usr/bin/env bash
# Runs the specs of the loop, ./controllers, in a process for each processor, four at most. Each has
# a control plane of its own: a story mostly waits for its API server. Arguments go to `ginkgo run`.
# Tests that are no specs are left to go test, for ginkgo does not show what they say.
set -euo pipefail
cd "$(dirname "$0")/.."

KUBEBUILDER_ASSETS=$(hack/envtest.sh)
export KUBEBUILDER_ASSETS

processes=$(getconf _NPROCESSORS_ONLN)
if [ "$processes" -gt 4 ]; then processes=4; fi
color=
if [ ! -t 1 ]; then color=--no-color; fi
exec go run github.com/onsi/ginkgo/v2/ginkgo run --procs="$processes" --timeout=45m --succinct --silence-skips ${color:+"$color"} "$@" ./controllers -- -test.run='^TestControllers$'
