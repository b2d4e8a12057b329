// Package secret holds text that must never be printed: passwords, keys,
// tokens. Every way of formatting, encoding or logging a [Text] prints "***";
// only [Text.Reveal] gives the text, so a reader finds each use by searching
// for that one word.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Mask is what every printed form of a secret shows.
const Mask = "***"

// Text is a secret string. The zero value is an absent secret.
//
// fmt calls no method on unexported fields of other structs but prints what
// they hold; the text therefore lies behind a func, of which fmt, JSON and
// reflection-based dumpers show at most an address.
type Text struct{ reveal func() string }

// New returns value as a secret; an empty value gives the zero Text.
func New(value string) Text {
	if value == "" {
		return Text{}
	}
	return Text{reveal: func() string { return value }}
}

// Reveal returns the text itself, for the one place that must send it.
func (t Text) Reveal() string {
	if t.reveal == nil {
		return ""
	}
	return t.reveal()
}

// IsZero reports whether there is no secret.
func (t Text) IsZero() bool { return t.reveal == nil }

// Equal reports whether both hold the same text, in time that depends on
// their lengths only.
func (t Text) Equal(u Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(u.Reveal())) == 1
}

// String implements [fmt.Stringer].
func (t Text) String() string { return Mask }

// Format implements [fmt.Formatter], so that no verb reaches the field.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Mask)) }

// LogValue implements [slog.LogValuer].
func (t Text) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON and YAML.
func (t Text) MarshalText() ([]byte, error) { return []byte(Mask), nil }
