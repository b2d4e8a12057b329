#!/usr/bin/env bash
# Builds a release into a folder (default bin/release): the gateway, its bill of
# materials, their SHA-256 sums, and a signature of these where SIGNING_KEY names
# the file of an Ed25519 key (openssl genpkey -algorithm ed25519). The same tree
# gives the same bytes, wherever it is. GOOS and GOARCH say what for (linux,
# amd64); nothing else that a machine has set changes a byte.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
out=${1:-bin/release}
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
target=("GOOS=${GOOS:-linux}" "GOARCH=${GOARCH:-amd64}")
mkdir -p "$out"
out=$(cd "$out" && pwd)

# Where modules come from and what is kept where is the machine's affair; `go env
# -w`, build flags, levels of the processor and experiments are not.
for name in GOAUTH GOCACHE GOINSECURE GOMODCACHE GONOPROXY GONOSUMDB GOPATH GOPRIVATE GOPROXY GOSUMDB; do
  export "$name=$("$go" env "$name")"
done
unset GOOS GOARCH GOFLAGS GOEXPERIMENT GOFIPS140 GODEBUG GO386 GOAMD64 GOARM GOARM64 GOMIPS GOMIPS64 GOPPC64 GORISCV64 GOWASM
export GOENV=off GOWORK=off CGO_ENABLED=0
# Exactly the compiler that go.mod names: a newer one gives other bytes.
export GOTOOLCHAIN
GOTOOLCHAIN=go$(awk '$1 == "go" {print $2; exit}' go.mod)

# VCS stamps would tell a clone from an archive of the same tree.
env "${target[@]}" "$go" build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" -o "$out/gateway" ./cmd/gateway
(cd test && "$go" run ./supply/sbom -root .. -binary "$out/gateway" -version "$version") >"$out/gateway.cdx.json"
cd "$out"
sha256sum gateway gateway.cdx.json >SHA256SUMS
rm -f SHA256SUMS.sig
if [ -n "${SIGNING_KEY:-}" ]; then
  openssl pkeyutl -sign -rawin -inkey "$SIGNING_KEY" -in SHA256SUMS -out SHA256SUMS.sig
fi
