// Package helm proves the chart in deploy/helm: what it renders is what Kubernetes
// takes, what the gateway takes, and as closed as SEC-65 wants it.
package helm
