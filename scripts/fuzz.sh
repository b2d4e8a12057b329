#!/usr/bin/env bash
# Runs every fuzz target of the given packages (default: all of the module) for
# FUZZTIME, one on each processor. A package's test program is built once for all
# of its targets.
set -euo pipefail
go=${GO:-go}
time=${FUZZTIME:-5s}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=$("$go" env GOCACHE)/fuzz

while read -r pkg dir; do
  names=$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | awk '{print $2}' || true)
  [ -n "$names" ] || continue
  program=$work/${pkg//\//_}.test
  "$go" test -c -fuzz=. -o "$program" "$pkg"
  for name in $names; do
    echo "$program $dir $pkg $name" >>"$work/targets"
  done
done < <("$go" list -f '{{.ImportPath}} {{.Dir}}' "${@:-./...}")
[ -s "$work/targets" ] || { echo "no fuzz target found"; exit 1; }

# one PROGRAM DIR PKG NAME prints what it found only if it found something.
one() {
  echo "fuzz $3 $4 $time"
  cd "$2"
  if ! out=$("$1" -test.run='^$' -test.fuzz="^$4\$" -test.fuzztime="$time" -test.parallel=1 \
    -test.fuzzminimizetime=10x -test.fuzzcachedir="$cache/$3" 2>&1); then
    printf '%s\n' "$out"
    return 255 # xargs begins no other
  fi
}
export -f one
export time cache
xargs -a "$work/targets" -P "$(nproc)" -L 1 bash -c 'one "$@"' one
echo "$(wc -l <"$work/targets") fuzz targets passed"
