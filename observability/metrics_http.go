package observability

import "strconv"

// statusTexts are the statuses of HTTP as labels, which need not be made for each
// request.
type statusTexts []string

func newStatusTexts() statusTexts {
	texts := make(statusTexts, 600)
	for status := 100; status < len(texts); status++ {
		texts[status] = strconv.Itoa(status)
	}
	return texts
}

// of is "" where there was no answer. What is no status of HTTP, though a server
// can send it, has no series of its own.
func (t statusTexts) of(status int) string {
	switch {
	case status == 0:
		return ""
	case status < 100 || status >= len(t):
		return "_OTHER"
	default:
		return t[status]
	}
}

// errorType is the label error.type: the name of the error, else the status where
// it is one. By OpenTelemetry's HTTP conventions errors begin with 4xx for a
// client and with 5xx for a server.
func errorType(name, status, begin string) string {
	if name == "" && status >= begin {
		return status
	}
	return name
}
