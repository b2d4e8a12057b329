#!/usr/bin/env bash
# The linters refuse each ban once: every line of the planted package that says
# "want LINTER" must have a finding of that linter, or the configuration rots.
set -euo pipefail
dir=internal/archtest/testdata/banned
found=$("$@" run --show-stats=false --output.text.print-issued-lines=false "./$dir" 2>&1 || true)
missing=0
while IFS=: read -r file line text; do
  linter=${text##*want }
  if ! grep -q "^$file:$line:.*($linter)" <<<"$found"; then
    echo "$file:$line: no finding of $linter: $text"
    missing=1
  fi
done < <(grep -n '// want ' "$dir"/*.go)
if [ "$missing" -ne 0 ]; then
  printf '%s\n' "$found"
  exit 1
fi
