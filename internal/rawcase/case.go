// Package rawcase runs tables of raw HTTP messages against a server, so that
// an incident becomes a test by adding a text file.
//
// A file has any number of cases. Keywords begin a line; the lines of a block
// are indented, and are joined without what ends them (write \r\n):
//
//	# a comment
//	case two lengths                  begins a case
//	connect h2 sni=other.test         a new connection (the first is implied): h1 or h2
//	send eof                          a step: bytes to send; eof = then close for writing
//	  POST /crm/v1/x HTTP/1.1\r\n
//	  Host: ${host}\r\n
//	  X: %repeat(1000,a)\r\n\r\n
//	status 400|501|none               one line per answer; none = ended without one,
//	                                  reset = stream or connection error of HTTP/2
//	close                             the connection ends after the answers
//	open                              a further request on the connection is answered
//	contains text                     in what came back for the step
//	absent text
//	reply close                       scripted answer of the upstream, in order
//	  HTTP/1.1 200 OK\r\n\r\n
//	upstream_requests 0..1            that the upstream saw in the whole case
//	upstream_complete 0               of these, with a complete body
//	upstream_target GET /v1/x HTTP/1.1   exact request lines, in order
//	upstream_contains text            in the bytes of the upstream's requests
//	upstream_absent text
//
// Blocks of an HTTP/2 connection hold frames instead of bytes:
//
//	headers 1 end :method=GET :path=/crm/v1/x x-api-key=${key}
//	data 1 end text
//	rst 1
//
// \r \n \t \\ \0 and \xNN are escapes; ${host}, ${key} and the like come from
// [Target.Vars]; ${nonce} is new in each step, and every 2xx answer to a step
// that uses it must hold it (the upstream double echoes the request target).
package rawcase

import "fmt"

// Case is one dialogue with a server and what must come of it.
type Case struct {
	Name string // of the file and the case
	Line int    // where it begins

	Steps   []Step
	Replies []Reply // of the upstream double; beyond them it echoes

	UpstreamRequests *Range
	UpstreamComplete *Range
	UpstreamTargets  []string
	UpstreamContains []string
	UpstreamAbsent   []string
}

// Step is something sent and the answers to it.
type Step struct {
	Connect *Connection // not nil: on a new connection
	Send    []string    // lines as written; escapes and variables are not yet replaced
	EOF     bool        // close for writing afterwards

	Answers  []Answer
	Close    bool
	Open     bool
	Contains []string
	Absent   []string
}

// Bytes returns what an HTTP/1 step sends.
func (s Step) Bytes(vars map[string]string) ([]byte, error) { return expand(s.Send, vars) }

// Connection says how to connect.
type Connection struct {
	HTTP2      bool
	ServerName string // "" = the target's host
}

// Answer lists what is accepted as one answer: statuses, "none", "reset".
type Answer []string

// Reply is a scripted answer of the upstream.
type Reply struct {
	Bytes []string // lines as written
	Close bool     // the connection ends afterwards
}

// Range is an inclusive range of counts.
type Range struct{ Min, Max int }

// String returns "2" or "0..1".
func (r Range) String() string {
	if r.Min == r.Max {
		return fmt.Sprint(r.Min)
	}
	return fmt.Sprintf("%d..%d", r.Min, r.Max)
}

func (r Range) holds(n int) bool { return r.Min <= n && n <= r.Max }
