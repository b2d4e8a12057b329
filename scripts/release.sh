#!/usr/bin/env bash
# Builds a release into a folder (default bin/release): the gateway, its bill of
# materials, their SHA-256 sums, and a signature of these where SIGNING_KEY names
# the file of an Ed25519 key (openssl genpkey -algorithm ed25519). The same tree
# gives the same bytes, wherever it is.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
out=${1:-bin/release}
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
mkdir -p "$out"
out=$(cd "$out" && pwd)

# VCS stamps would tell a clone from an archive of the same tree.
CGO_ENABLED=0 "$go" build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" -o "$out/gateway" ./cmd/gateway
(cd test && "$go" run ./supply/sbom -root .. -binary "$out/gateway" -version "$version") >"$out/gateway.cdx.json"
cd "$out"
sha256sum gateway gateway.cdx.json >SHA256SUMS
rm -f SHA256SUMS.sig
if [ -n "${SIGNING_KEY:-}" ]; then
  openssl pkeyutl -sign -rawin -inkey "$SIGNING_KEY" -in SHA256SUMS -out SHA256SUMS.sig
fi
