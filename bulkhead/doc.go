// Package bulkhead keeps one sick part from taking the whole gateway along:
//
//   - [Upstreams] bounds the requests to one upstream that are under way at
//     once, so that a slow one cannot take every connection and all memory, and
//     shares them among the callers.
//   - [Memory] refuses new work while the process is short of memory, before the
//     kernel ends it with all work that is under way.
//
// A slot is held until the answer's body has ended. Settings come with a
// generation, what is counted outlives it.
package bulkhead

import "time"

// retryAfter is what a refused caller is told to wait. Slots and memory come
// back with the end of any request; one second keeps the refused from asking
// again at once.
const retryAfter = time.Second
