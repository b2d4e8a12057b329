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

# build PACKAGE DIR prints PROGRAM DIR PACKAGE NAME for each of its targets.
build() {
  names=$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$2"/*_test.go 2>/dev/null | awk '{print $2}' || true)
  [ -n "$names" ] || return 0
  program=$work/${1//\//_}.test
  "$go" test -c -fuzz=. -o "$program" "$1" || return 255 # xargs begins no other
  for name in $names; do
    echo "$program $2 $1 $name"
  done
}

# one PROGRAM DIR PKG NAME prints what it found only if it found something.
one() {
  echo "fuzz $3 $4 $time"
  cd "$2"
  if ! out=$("$1" -test.run='^$' -test.fuzz="^$4\$" -test.fuzztime="$time" -test.parallel=1 \
    -test.fuzzminimizetime=10x -test.fuzzcachedir="$cache/$3" 2>&1); then
    printf '%s\n' "$out"
    return 255
  fi
}
export -f build one
export go work time cache
"$go" list -f '{{.ImportPath}} {{.Dir}}' "${@:-./...}" |
  xargs -P "$(nproc)" -L 1 bash -c 'build "$@"' build >"$work/targets"
[ -s "$work/targets" ] || { echo "no fuzz target found"; exit 1; }
xargs -a "$work/targets" -P "$(nproc)" -L 1 bash -c 'one "$@"' one
echo "$(wc -l <"$work/targets") fuzz targets passed"
