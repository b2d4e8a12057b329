#!/usr/bin/env bash
# Fails when the product can reach code with a known vulnerability, and when a
# planted one is not found. Without VULNDB the database is the copy in the tree,
# so that beside the Go modules nothing is downloaded; VULNDB=https://vuln.go.dev
# asks for the newest. VULN_TODAY=2027-01-31 asks how old the copy is on a day.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
go=${GO:-go}
oldest=400 # days; a copy that nobody replaces knows less and less
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

seconds() { date -u -d "$1" +%s 2>/dev/null || date -u -j -f '%F %T' "$1 00:00:00" +%s; }

database=${VULNDB:-}
if [ -z "$database" ]; then
  copy=$root/test/supply/testdata/go-vulndb
  exported=$(<"$copy.date") # its entries carry no dates
  today=$(seconds "${VULN_TODAY:-$(date -u +%F)}")
  age=$(((today - $(seconds "$exported")) / 86400))
  echo "the database is of $exported, $age days old"
  if [ "$age" -gt "$oldest" ]; then
    echo "it is too old, by more than $oldest days, to say that all is well: check with make vuln VULNDB=https://vuln.go.dev," >&2
    echo "and replace $copy.tgz (index/ and ID/ of https://vuln.go.dev below vulndb-v1/) and its day in $copy.date" >&2
    exit 1
  fi
  tar -xzf "$copy.tgz" -C "$work"
  database=file://$work/vulndb-v1
fi
(cd "$root" && "$go" build -modfile="$root/tools/go.mod" -o "$work/govulncheck" golang.org/x/vuln/cmd/govulncheck)

"$work/govulncheck" -C "$root" -db "$database" ./cmd/...

# As a database or a tool that finds nothing finds nothing here either. What is
# vulnerable there is vendored: a stand-in that has the version and the calls.
planted=GO-2025-3540
code=0
found=$("$work/govulncheck" -C "$root/test/supply/testdata/planted" -db "$database" ./... 2>&1) || code=$?
if [ "$code" -ne 3 ] || [[ $found != *$planted* ]]; then
  printf '%s\n' "$found"
  echo "the planted $planted was not found (exit $code): the check checks nothing" >&2
  exit 1
fi
echo "the planted $planted was found"
