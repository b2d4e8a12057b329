// Package redistest starts real Redis servers for tests: one alone, a trio
// watched by sentinels, a cluster of three.
package redistest
