// Package bulkhead keeps one sick part from taking the whole gateway along:
//
//   - [Upstreams] bounds the requests to one upstream that are under way at
//     once, so that a slow one cannot take every connection and all memory, and
//     shares them among the callers.
//   - [Callers] bounds those of one caller, so that it meets its own limit first.
//   - [Memory] refuses new work while the process is short of memory, before the
//     kernel ends it with all work that is under way.
//
// A slot is held until what it stands for is over: the answer's body upstream,
// the handler's return at the caller's side. Settings come with a generation,
// what is counted outlives it.
package bulkhead

import "time"

// retryAfter is what a refused caller is told to wait. Slots and memory come
// back with the end of any request; one second keeps the refused from asking
// again at once.
const retryAfter = time.Second
