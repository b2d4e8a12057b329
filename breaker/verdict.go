package breaker

import "net/http"

// verdict says what an answer's status tells of the upstream, if its body ends
// well. countStatus says that 5xx is a failure.
//
// Answers about the request count as nothing: a caller that asks for what does
// not exist must neither open the breaker nor hide behind its many answers that
// the upstream is ill. To a probe they are a success where the service itself
// must have looked at the request; others may come from what stands before it.
// A 5xx that is no failure is one to a probe, too: nothing better may ever come.
func verdict(status int, countStatus, probe bool) Result {
	switch {
	case status < http.StatusBadRequest:
		return Success
	case status >= http.StatusInternalServerError:
		switch {
		case countStatus && isFailure(status):
			return Failure
		case probe:
			return Success
		}
		return Excluded
	case probe && isOfService(status):
		return Success
	default:
		return Excluded
	}
}

// isFailure: 501 is about the request's method, 505 about the version that we
// speak, whoever asks. 508 tells that the way leads in a circle: an open breaker
// would hide that from who could mend it.
func isFailure(status int) bool {
	switch status {
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusLoopDetected:
		return false
	}
	return true
}

// isOfService tells answers of a service from those of the layers before it.
func isOfService(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusRequestTimeout,
		http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	default:
		return true
	}
}
