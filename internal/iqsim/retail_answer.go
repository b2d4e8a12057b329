package iqsim

import (
	"errors"
	"maps"
	"net/http"
)

const (
	typeJSON = "application/json"
	typeHAL  = "application/hal+json"
	typeText = "text/plain"
)

// The error texts of the provider's documentation and of captured answers.
const (
	messageNotFound = "Resource cannot be found"
	messageInvalid  = "The request is invalid."
	messageStale    = "Entity resource already modified by an earlier request"
)

// answer is what a retail service replies: operations return it as a value,
// the router writes it. It holds only the header fields that depend on what is
// answered; the service's habits are added by its profile.
type answer struct {
	status      int
	contentType string
	body        []byte
	header      http.Header
}

// with adds a response header field.
func (a answer) with(name, value string) answer {
	if a.header == nil {
		a.header = http.Header{}
	} else {
		a.header = a.header.Clone()
	}
	a.header.Set(name, value)
	return a
}

func (a answer) as(contentType string) answer {
	a.contentType = contentType
	return a
}

func (a answer) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	if a.contentType != "" {
		w.Header().Set("Content-Type", a.contentType)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the caller may be gone; there is nobody to tell
}

// replyJSON answers status with v as JSON.
func replyJSON(status int, v any) answer {
	body, err := encodeJSON(v)
	if err != nil {
		return message(http.StatusInternalServerError, "An error has occurred.")
	}
	return answer{status: status, contentType: typeJSON, body: body}
}

// replyRaw answers status with JSON that is already encoded.
func replyRaw(status int, body []byte) answer {
	return answer{status: status, contentType: typeJSON, body: body}
}

func noContent() answer { return answer{status: http.StatusNoContent} }

// message is the error shape of ASP.NET: {"Message":"…"}.
func message(status int, text string) answer {
	return replyJSON(status, struct{ Message string }{text})
}

func notFound() answer { return message(http.StatusNotFound, messageNotFound) }

func badRequest() answer { return message(http.StatusBadRequest, messageInvalid) }

// refusedError is a change that a service refuses, with what it answers.
type refusedError struct {
	status int
	text   string
}

func (e refusedError) Error() string { return e.text }

// refusal turns the error of a change into the answer for it.
func refusal(err error) answer {
	if refused, ok := errors.AsType[refusedError](err); ok {
		return message(refused.status, refused.text)
	}
	return badRequest()
}
