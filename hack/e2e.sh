#!/usr/bin/env bash
# Runs the stories of test/e2e: the operator in a Pod of its own image, installed from the chart,
# on a real node. With Docker and kind that is kind's. Else it is a kubelet with containerd beside
# the control plane of hack/envtest, which needs Linux, root, and Debian's packages runc and
# containernetworking-plugins; they are installed where apt-get is there. Where neither can be had it
# says so in one line, and that is no failure.
#
# The node runs in namespaces of its own (processes, mounts, network): however the stories end, the
# kernel ends all that they started, and takes the mounts and the network away.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "test-e2e: $*"; }
skip() {
  say "skipped: $*"
  exit 0
}

kind=""
if command -v kind >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
  kind=spaces-e2e
else
  [ "$(uname -s)" = Linux ] || skip "a node needs Linux, or Docker and kind"
  [ "$(id -u)" -eq 0 ] || skip "a node needs root, or Docker and kind"
  missing=""
  [ -x /usr/sbin/runc ] || [ -x /usr/bin/runc ] || missing+=" runc"
  [ -x /usr/lib/cni/bridge ] || missing+=" containernetworking-plugins"
  command -v ip >/dev/null 2>&1 || missing+=" iproute2"
  if [ -n "$missing" ]; then
    command -v apt-get >/dev/null 2>&1 || skip "there is no$missing here, and no apt-get"
    say "apt-get install$missing"
    # shellcheck disable=SC2086 # one argument for each package
    { timeout 300 apt-get -qq update && DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -qq -y --no-install-recommends install $missing; } >/dev/null ||
      skip "these packages cannot be had:$missing"
  fi
  unshare --fork --pid --mount --mount-proc --net true 2>/dev/null || skip "no namespaces can be made here"
  E2E_ASSETS=$(hack/envtest.sh node) || skip "the programs of a node cannot be built, see above"
  export E2E_ASSETS
fi

export E2E_OUTPUT=$PWD/bin/e2e
mkdir -p "$E2E_OUTPUT"
say "building the images"
for image in operator:first:. operator:second:. inpod:first:test/e2e/inpod; do
  IFS=: read -r name version root <<<"$image"
  archive=$name-$version
  [ "$name" = operator ] || archive=$name
  go -C hack/release run . -image -root "$PWD/$root" -out "$E2E_OUTPUT/$archive" -version "$version" -name "e2e.local/$name" -platforms "linux/$(go env GOHOSTARCH)" >/dev/null
done
HELM=$(go -C hack/tools/helm tool -n helm)
export HELM
CGO_ENABLED=0 go test -c -o "$E2E_OUTPUT/e2e.test" ./test/e2e

E2E_RUN=$(mktemp -d)
export E2E_RUN TMPDIR=$E2E_RUN
child=""
# Runs at every end. The first process of a namespace takes all others with it.
finish() {
  if [ -n "$child" ]; then
    for first in $(cat "/proc/$child/task/$child/children" 2>/dev/null || true); do kill -KILL "$first" 2>/dev/null || true; done
    wait "$child" 2>/dev/null || true
  fi
  if [ -n "$kind" ]; then kind delete cluster --name "$kind" || true; fi
  for container in "$E2E_RUN"/containerd/state/io.containerd.runtime.v2.task/k8s.io/*; do
    rmdir /sys/fs/cgroup/{*/,}k8s.io/"$(basename "$container")" 2>/dev/null || true
  done
  rmdir /sys/fs/cgroup/{*/,}k8s.io 2>/dev/null || true # unless somebody else's are there
  rm -rf "$E2E_RUN"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP
stories=("$E2E_OUTPUT/e2e.test" -test.v -test.failfast -test.timeout "${TIMEOUT:-30m}")

if [ -n "$kind" ]; then
  export KUBECONFIG=$E2E_RUN/kubeconfig
  kind create cluster --name "$kind" --wait 2m
  for image in operator-first operator-second inpod; do kind load image-archive --name "$kind" "$E2E_OUTPUT/$image/image.tar"; done
  cd test/e2e
  E2E_CTR="docker exec $kind-control-plane ctr --namespace=k8s.io" "${stories[@]}"
  exit
fi

# What programs write at places that nobody chooses goes to memory. The address of the Service
# named kubernetes lies on loopback, and Pods have their bridge.
cd test/e2e
# shellcheck disable=SC2016 # expanded in there
unshare --fork --pid --kill-child --mount --mount-proc --net bash -euc '
  for folder in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 e2e "$folder"; done
  ip link set lo up
  ip address add 10.0.0.1/32 dev lo
  ip link add cni0 type bridge
  ip address add 10.88.0.1/16 dev cni0
  ip link set cni0 up
  "$@" && code=0 || code=$?
  exit "$code"' e2e "${stories[@]}" &
child=$!
wait "$child" && code=0 || code=$?
exit "$code"
