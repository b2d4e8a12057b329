#!/bin/sh
# Makes dashboards and alerts of the folder $1 whose links work in the demonstration,
# and of the runbook $2 a page that they lead to. All of it goes into the folder $3,
# which Prometheus serves as /user.
set -eu
umask 022 # Grafana and Prometheus run as nobody in particular
runbook=http://127.0.0.1:9090/user/runbook.html
mkdir -p "$3/dashboards"
for board in "$1"/grafana/dashboards/*.json; do
  sed "s|https://git.example.com/iqgateway/blob/main/docs/runbook.md|$runbook|" "$board" >"$3/dashboards/${board##*/}"
done
sed "s|runbook_url: /docs/runbook.md|runbook_url: $runbook|; s|dashboard_url: /|dashboard_url: http://127.0.0.1:3000/|" \
  "$1/prometheus/rules.yaml" >"$3/rules.yaml"
# As it is written, but that links find its sections.
awk '
  BEGIN { print "<!doctype html><meta charset=utf-8><title>Runbook</title><pre style=\"white-space: pre-wrap\">" }
  { gsub(/&/, "\\&amp;"); gsub(/</, "\\&lt;") }
  /^##+ / { id = tolower($0); sub(/^#+ /, "", id); $0 = "<b id=\"" id "\">" $0 "</b>" }
  { print }
' "$2" >"$3/runbook.html"
