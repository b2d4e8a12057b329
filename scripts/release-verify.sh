#!/usr/bin/env bash
# Verifies a release, without a network: release-verify.sh PUBLIC_KEY [FOLDER].
set -euo pipefail
key=$(realpath "${1:?the file of the public key (openssl pkey -in KEY -pubout)}")
cd "${2:-bin/release}"
openssl pkeyutl -verify -rawin -pubin -inkey "$key" -in SHA256SUMS -sigfile SHA256SUMS.sig
sha256sum --check --strict SHA256SUMS
