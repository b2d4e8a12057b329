#!/usr/bin/env bash
# Verifies the modules that the module in test/ needs. The product is a folder to
# it, which `go mod verify` reports as missing instead of passing over it.
set -euo pipefail
cd "$(dirname "$0")/../test"
out=$("${1:-go}" mod verify 2>&1) && exit 0
[ "$out" = "iqgateway v0.0.0: missing ziphash: open hash: no such file or directory" ] && exit 0
printf '%s\n' "$out"
exit 1
