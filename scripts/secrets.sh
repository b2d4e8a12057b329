#!/usr/bin/env bash
# Looks for secrets in the tree and in all of its history, and fails where a
# planted one is not found: in a file, and in a commit that took it away again.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
go=${GO:-go}
if [ "$(git -C "$root" rev-parse --is-shallow-repository)" = true ]; then
  echo "this clone holds a part of the history only: git fetch --unshallow" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$root" && "$go" build -modfile="$root/tools/gitleaks/go.mod" -o "$work/gitleaks" github.com/zricethezav/gitleaks/v8)

# scan names no secret in its output, and takes no word of a file that it is harmless.
scan() { (cd "$2" && "$work/gitleaks" "$1" . --config "$root/.gitleaks.toml" --ignore-gitleaks-allow --redact --no-banner --no-color --verbose); }

planted=$work/planted
git init -q "$planted"
commit() { git -C "$planted" -c user.name=planted -c user.email=planted@example.com -c commit.gpgsign=false commit -qam "$1"; }
wanted() {
  local found code=0
  found=$(scan "$1" "$planted" 2>&1) || code=$?
  if [ "$code" -ne 1 ] || [[ $found != *github-pat* ]]; then
    printf '%s\n' "$found"
    echo "a planted token was not found by gitleaks $1 (exit $code): the check checks nothing" >&2
    exit 1
  fi
}
echo "token: ghp""_R8sUx2LqK0vZ7nYtB4mWc1JdP6hEaF9gQ3iT" >"$planted/file"
git -C "$planted" add file
commit "planted"
wanted dir
echo "none" >"$planted/file"
commit "taken away"
wanted git
echo "the planted token was found"

scan dir "$root"
scan git "$root"
