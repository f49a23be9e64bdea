#!/usr/bin/env bash
# Builds the control plane that `make test` and `make demo` run: kube-apiserver,
# kube-controller-manager, kubectl and etcd, from the Go modules in hack/envtest. With the
# argument demo it builds no kubectl, which the demo can do without; with the argument node what
# `make test-e2e` needs besides: kube-scheduler, kubelet and containerd with its shim and ctr.
#
# It builds once, into the folder where setup-envtest keeps its own downloads, so
# later clones and editors find the result. Progress goes to standard error; the
# only line on standard output is the folder. KUBEBUILDER_ASSETS wins when set, and for
# a node when it holds all of that.
set -euo pipefail

programs="etcd kube-apiserver kube-controller-manager"
case "${1:-}" in
  demo) ;;
  node) programs+=" kubectl kube-scheduler kubelet containerd containerd-shim-runc-v2 ctr" ;;
  *) programs+=" kubectl" ;;
esac
say() { echo "envtest: $*" >&2; }

# complete FOLDER
complete() {
  local program
  for program in $programs; do [ -x "$1/$program" ] || return 1; done
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ] && { [ "${1:-}" != node ] || complete "$KUBEBUILDER_ASSETS"; }; then
  echo "$KUBEBUILDER_ASSETS"
  exit 0
fi

cd "$(dirname "$0")/envtest"
command -v go >/dev/null 2>&1 || { say "there is no Go here: install $(awk '$1 == "go" { print $2 }' go.mod) or newer (https://go.dev/dl)"; exit 1; }
case "$(cd / && go env GOVERSION)" in
  "" | go1.? | go1.?.* | go1.1? | go1.1?.* | go1.20 | go1.20.*)
    say "$(cd / && go version) is too old to fetch a newer Go by itself: install $(awk '$1 == "go" { print $2 }' go.mod) or newer (https://go.dev/dl)"
    exit 1
    ;;
esac

# The folder of setup-envtest (sigs.k8s.io/controller-runtime/tools/setup-envtest/store).
data="${XDG_DATA_HOME:-}"
case "$(go env GOHOSTOS)" in
  darwin) store="${data:-$HOME/Library/Application Support}/io.kubebuilder.envtest" ;;
  *) store="${data:-$HOME/.local/share}/kubebuilder-envtest" ;;
esac
kubernetes=$(awk '$1 == "k8s.io/kubernetes" { print $2; exit }' go.mod)
version=${kubernetes#v}
assets="$store/k8s/$version-$(go env GOHOSTOS)-$(go env GOHOSTARCH)"

if complete "$assets"; then
  echo "$assets"
  exit 0
fi

# One build at a time. A lock is stale when the process that wrote it is gone.
mkdir -p "$store/k8s"
lock="$assets.lock"
until (set -o noclobber; echo $$ >"$lock") 2>/dev/null; do
  owner=$(cat "$lock" 2>/dev/null || true)
  if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
    say "removing the lock of process $owner, which is gone: $lock"
    rm -f "$lock"
    continue
  fi
  say "waiting for process ${owner:-unknown}, which is building the control plane"
  sleep 5
done
aside="$assets.building"
trap 'rm -rf "$aside" "$lock"' EXIT
if complete "$assets"; then # built while this one waited
  echo "$assets"
  exit 0
fi

rm -rf "$aside"
mkdir -p "$aside"
minor=${version#*.}
stamp=""
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  stamp+=" -X $package.gitVersion=$kubernetes -X $package.gitMajor=${version%%.*}"
  stamp+=" -X $package.gitMinor=${minor%%.*} -X $package.gitTreeState=clean"
done

# build NAME MODULE-FOLDER PACKAGE [LDFLAGS] leaves alone what is not asked for or there already,
# such as what setup-envtest left.
build() {
  local name=$1 folder=$2 package=$3 ldflags=${4:-} began=$SECONDS
  if [[ " $programs " != *" $name "* ]] || [ -x "$assets/$name" ]; then return; fi
  say "building $name ..."
  (cd "$folder" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w $ldflags" -o "$aside/$name" "$package") >&2 &
  local pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    [ $(((SECONDS - began) % 20)) -ne 0 ] || say "  ... $name, $((SECONDS - began)) s"
  done
  wait "$pid" || { say "building $name failed; the lines above say why ($(free "$aside") MB are left on the disk)"; exit 1; }
  say "built $name in $((SECONDS - began)) s"
}

# What would fail after minutes, or with a page of lines, is told at once and in one.
free() { df -Pk "$1" | awk 'NR == 2 { print int($4 / 1024) }'; }
for folder in "$store" "$(go env GOCACHE)" "$(go env GOMODCACHE)"; do
  mkdir -p "$folder"
  if [ "$(free "$folder")" -lt 2000 ]; then
    say "$folder has $(free "$folder") MB left; the build needs 2000 at least, and 6000 where nothing is cached: make room"
    exit 1
  fi
done
if ! said=$(go mod download k8s.io/kubernetes 2>&1); then
  say "Go modules cannot be had: ${said##*$'\n'}"
  say "the first build needs a network, and a module proxy that answers (GOPROXY is $(go env GOPROXY))"
  exit 1
fi

say "building Kubernetes $version and what it stands on into $assets"
say "this happens once and takes 8 to 12 minutes on two cores, and half as long again for a node"
build kube-apiserver . k8s.io/kubernetes/cmd/kube-apiserver "$stamp"
build kube-controller-manager . k8s.io/kubernetes/cmd/kube-controller-manager "$stamp"
build kubectl . k8s.io/kubernetes/cmd/kubectl "$stamp"
build etcd etcd go.etcd.io/etcd/server/v3
build kube-scheduler . k8s.io/kubernetes/cmd/kube-scheduler "$stamp"
build kubelet . k8s.io/kubernetes/cmd/kubelet "$stamp"
for program in containerd containerd-shim-runc-v2 ctr; do
  build "$program" containerd "github.com/containerd/containerd/v2/cmd/$program"
done

mkdir -p "$assets"
for program in $programs; do
  [ -x "$assets/$program" ] || mv "$aside/$program" "$assets/$program"
done
say "done in $SECONDS s"
echo "$assets"
