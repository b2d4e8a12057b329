package iqsim

import (
	"fmt"
	"time"
)

// Duration is a time.Duration that JSON and flags write as "250ms".
type Duration time.Duration

// String returns the Go notation.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes the Go notation.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the Go notation.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration; write 250ms, 2s or 12h", text)
	}
	*d = Duration(v)
	return nil
}
