#!/bin/sh
# Makes what the demonstration needs to be secret, once: a key for each caller of
# the template $1, the configuration of the callers with their digests, and the two
# keys of what the gateways keep in Redis. All of it goes into the folder $2.
set -eu
umask 022 # the programs that read them run as nobody in particular
template=$1
cd "$2"
[ -e done ] && exit 0
random() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }
random >redis.key
random >names.key
cp "$template" callers.yaml
for caller in storefront nightly-sync kiosk; do
  random | tr '+/' '-_' | tr -d '=' >"$caller.key"
  digest=$(sha256sum <"$caller.key" | cut -d ' ' -f 1)
  sed -i "s/DIGEST of $caller/$digest/" callers.yaml
done
: >done
