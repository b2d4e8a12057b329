#!/usr/bin/env bash
# Runs every fuzz target of the given packages (default: all of the module) for
# FUZZTIME, one after the other. A package's test program is built once for all
# of its targets.
set -euo pipefail
go=${GO:-go}
time=${FUZZTIME:-5s}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=$("$go" env GOCACHE)/fuzz
targets=0
while read -r pkg dir; do
  names=$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | awk '{print $2}' || true)
  [ -n "$names" ] || continue
  "$go" test -c -fuzz=. -o "$work/fuzz.test" "$pkg"
  for name in $names; do
    echo "fuzz $pkg $name $time"
    if ! out=$(cd "$dir" && "$work/fuzz.test" -test.run='^$' -test.fuzz="^${name}\$" -test.fuzztime="$time" \
      -test.fuzzminimizetime=10x -test.fuzzcachedir="$cache/$pkg" 2>&1); then
      printf '%s\n' "$out"
      exit 1
    fi
    targets=$((targets + 1))
  done
done < <("$go" list -f '{{.ImportPath}} {{.Dir}}' "${@:-./...}")
[ "$targets" -gt 0 ] || { echo "no fuzz target found"; exit 1; }
echo "$targets fuzz targets passed"
