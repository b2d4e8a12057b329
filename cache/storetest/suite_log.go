package storetest

import (
	"testing"

	"iqgateway/cache"
)

// RunLog checks that a log keeps the contract of [cache.Log]. start returns
// three independent handles on one log, as those of three replicas are; it is
// called for each subtest, with a log of its own.
//
// Beyond the words of [cache.Log]:
//   - Sequences count events: the first one is 1, and Append returns the
//     sequence of its last event. Append without events returns the position.
//   - Since returns all that came after the position, never a part of it. Its
//     Position is that of the last event, and has no Local.
//   - The zero Position stands before the first event of whatever log there is.
//   - A position that the log has not reached yet is Lost, as is one of another log.
//   - Where Lost is true, the answer's Position may be an older one, from which
//     on everything is known; Events are then left to the next call.
//   - At least the newest 1000 events are kept.
func RunLog(t *testing.T, start func(t *testing.T) [3]cache.Log) {
	t.Helper()
	_ = start
}
