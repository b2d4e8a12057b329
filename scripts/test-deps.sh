#!/usr/bin/env bash
# Gets what the tests need: from the system's package manager where it may, and
# otherwise says exactly what to install; newman, as test/postman pins it, from
# npm. Prints nothing when all is there.
set -euo pipefail

# haproxy is installed where users' PATH may not lead.
PATH=$PATH:/usr/sbin

# command:Debian package, one per line.
needs="gcc:gcc curl:curl openssl:openssl redis-server:redis-server redis-sentinel:redis-sentinel haproxy:haproxy slowhttptest:slowhttptest promtool:prometheus nmap:nmap testssl:testssl.sh node:nodejs npm:npm chromium:chromium"

missing=()
for need in $needs; do
  command -v "${need%%:*}" >/dev/null 2>&1 || missing+=("${need##*:}")
done

# Into bin/, which is no part of the tree.
newman() {
  local from=test/postman to=bin/newman
  cd "$(dirname "$0")/.."
  cmp -s $from/package-lock.json $to/installed && return
  echo "installing newman"
  mkdir -p $to
  cp $from/package.json $from/package-lock.json $to/
  npm ci --prefix $to --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
  cp $from/package-lock.json $to/installed
}

if [ ${#missing[@]} -eq 0 ]; then
  newman
  exit
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    echo "The tests need these packages: ${missing[*]}" >&2
    echo "Install them, for example: sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "The tests need these programs (Debian package names): ${missing[*]}" >&2
  echo "Install them with your package manager (brew, dnf, apk, …) and run again." >&2
  exit 1
fi
echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
newman
