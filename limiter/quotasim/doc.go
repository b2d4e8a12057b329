// Package quotasim is a discrete-event simulation of quota coordination: some
// replicas, the store that they share, the network and an upstream with fixed
// windows, all in virtual time and from one seed. It drives the real two sides
// of a bucket, [limiter.Local] and [limiter.Shared], and beside them a few usual
// strategies, so that they can be compared on the same demand.
//
// It knows what no replica can know: the upstream's own count, the true end of
// each window, and which request was counted where. With that it checks the
// invariants of quota coordination while a run goes on. A run is a function of
// its [Scenario]; that of a random run is a function of the seed. To see a
// violation again:
//
//	go test ./limiter/quotasim -run Seed -seed N -v
//
// It is a test harness; no part of the gateway imports it.
package quotasim
