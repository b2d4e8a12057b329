#!/usr/bin/env bash
# Fails when the product can reach code with a known vulnerability, and when a
# planted one is not found. Without VULNDB the database is the copy in the tree,
# which needs no network; VULNDB=https://vuln.go.dev asks for the newest.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
go=${GO:-go}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

database=${VULNDB:-}
if [ -z "$database" ]; then
  tar -xzf "$root/test/supply/testdata/go-vulndb.tgz" -C "$work"
  database=file://$work/vulndb-v1
fi
(cd "$root" && "$go" build -modfile="$root/tools/go.mod" -o "$work/govulncheck" golang.org/x/vuln/cmd/govulncheck)

"$work/govulncheck" -C "$root" -db "$database" ./cmd/...

# As a database or a tool that finds nothing finds nothing here either.
planted=GO-2025-3540
code=0
found=$("$work/govulncheck" -C "$root/test/supply/testdata/planted" -db "$database" ./... 2>&1) || code=$?
if [ "$code" -ne 3 ] || [[ $found != *$planted* ]]; then
  printf '%s\n' "$found"
  echo "the planted $planted was not found (exit $code): the check checks nothing" >&2
  exit 1
fi
echo "the planted $planted was found"
