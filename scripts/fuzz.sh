#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME, one after the other.
set -euo pipefail
go=${GO:-go}
time=${FUZZTIME:-5s}
targets=0
for pkg in $("$go" list ./...); do
  dir=$("$go" list -f '{{.Dir}}' "$pkg")
  for name in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | awk '{print $2}'); do
    echo "fuzz $pkg $name $time"
    if ! out=$("$go" test -run='^$' -fuzz="^${name}\$" -fuzztime="$time" -fuzzminimizetime=10x "$pkg" 2>&1); then
      printf '%s\n' "$out"
      exit 1
    fi
    targets=$((targets + 1))
  done
done
[ "$targets" -gt 0 ] || { echo "no fuzz target found"; exit 1; }
echo "$targets fuzz targets passed"
