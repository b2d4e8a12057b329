package breaker

// Kind says whose fault the error of an attempt is, as [StageOptions.Judge]
// translates it.
type Kind int8

// Every kind of error.
const (
	// NotCounted is about the caller, its deadline or its body, or a refusal of
	// our own. timeouts.total belongs here too: time in our own queues is part
	// of it, and the upstream's own slowness has bounds of its own.
	NotCounted Kind = iota
	// Unreachable: there was no connection: name, route, refusal, TLS, time.
	Unreachable
	// TimedOut: no header in time, or a body that stalled.
	TimedOut
	// Broken: the connection broke, or what came was not HTTP.
	Broken
)

// String returns the word for metrics.
func (k Kind) String() string {
	switch k {
	case Unreachable:
		return "connect"
	case TimedOut:
		return "timeout"
	case Broken:
		return "broken"
	default:
		return "none"
	}
}

func (f Failures) counts(k Kind) bool {
	switch k {
	case Unreachable, Broken:
		return f.Connect
	case TimedOut:
		return f.Timeout
	default:
		return false
	}
}
