// Package dashboards makes the Grafana dashboards of deploy/observability from
// their sources, and tells which metrics an expression of PromQL asks for.
//
// A source names what differs between panels: question, answer, unit,
// explanation. All else is the same everywhere and stands here. "make docs"
// writes the dashboards; its tests run them, the alert rules and the runbook
// against real gateways and a real Prometheus.
package dashboards
