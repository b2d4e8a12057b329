package iqsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// dcError is a refusal in DataConnect's own shape,
// {"Error":true,"Message":"…"}.
type dcError struct {
	status  int
	message string
}

// Error returns the message that the client gets.
func (e *dcError) Error() string { return e.message }

// refusef returns a *dcError.
func refusef(status int, format string, args ...any) error {
	return &dcError{status: status, message: fmt.Sprintf(format, args...)}
}

// writeDCError answers err; anything but a *dcError is an unexpected 500.
func writeDCError(w http.ResponseWriter, err error) {
	refusal := &dcError{status: http.StatusInternalServerError, message: "Unexpected Error"}
	errors.As(err, &refusal)
	body, _ := json.Marshal(struct { // a bool and a string always marshal
		Error   bool
		Message string
	}{true, refusal.message})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(refusal.status)
	_, _ = w.Write(body) // the client may be gone
}
