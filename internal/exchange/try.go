package exchange

import "time"

// Try is one attempt as it is told afterwards: to whoever asks what became of
// the exchange.
type Try struct {
	Status  int           // of the answer; 0 when none came
	Failure string        // why none came, as the attempt stage names it; "" = it did
	At      time.Duration // after the exchange had begun
	Took    time.Duration // until the answer's header, or the failure
}

// maxTries is how many attempts of one exchange are told of. Configurations
// allow fewer; more than the first ones would only repeat them.
const maxTries = 8

// Tried notes an attempt that began at start.
func (ex *Exchange) Tried(start time.Time, status int, failure string, took time.Duration) {
	if len(ex.Tries) >= maxTries {
		return
	}
	t := Try{Status: status, Failure: failure, Took: took}
	if !ex.Start.IsZero() {
		t.At = max(0, start.Sub(ex.Start))
	}
	ex.Tries = append(ex.Tries, t)
}
