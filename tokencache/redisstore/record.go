package redisstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"iqgateway/internal/secret"
	"iqgateway/tokencache"
)

// recordVersion is of the JSON in sealed values. Members may be added under
// the same version: unknown ones are ignored.
const recordVersion = 1

const (
	maxRefusals = 100
	maxText     = 1024
	maxFailures = 1 << 20
)

// tokenRecord is the sealed form of a token; times in milliseconds of Redis.
type tokenRecord struct {
	Version int    `json:"v"`
	Field   string `json:"field"`
	Refresh string `json:"refresh,omitempty"`
	Issued  int64  `json:"issued"`
	Expires int64  `json:"expires"`
	Holder  string `json:"holder,omitempty"`
}

// historyRecord is the sealed form of a history.
type historyRecord struct {
	Version    int             `json:"v"`
	Failures   int             `json:"failures,omitempty"`
	FailedAt   int64           `json:"failed_at,omitempty"`
	AskedFor   int64           `json:"asked_for,omitempty"` // milliseconds
	Refusals   []refusalRecord `json:"refusals,omitempty"`
	ReplacedAt int64           `json:"replaced_at,omitempty"`
	LastError  string          `json:"last_error,omitempty"`
}

type refusalRecord struct {
	ID string `json:"id"`
	At int64  `json:"at"`
}

func encodeToken(t tokencache.SharedToken, m measured) ([]byte, int64) {
	r := tokenRecord{
		Version: recordVersion,
		Field:   t.Field.Reveal(),
		Refresh: t.Refresh.Reveal(),
		Issued:  m.shared(t.Issued),
		Expires: m.sharedEarly(t.Expires),
		Holder:  t.Holder,
	}
	return marshal(r), r.Expires
}

func encodeHistory(h tokencache.History, m measured) []byte {
	r := historyRecord{
		Version:    recordVersion,
		Failures:   min(max(h.Failures, 0), maxFailures),
		FailedAt:   m.shared(h.FailedAt),
		AskedFor:   max(h.AskedFor, 0).Milliseconds(),
		ReplacedAt: m.shared(h.ReplacedAt),
		LastError:  truncate(h.LastError),
	}
	// The newest decide about the next attempt, and they stand last.
	for _, refusal := range h.Refusals[max(0, len(h.Refusals)-maxRefusals):] {
		r.Refusals = append(r.Refusals, refusalRecord{refusal.ID, m.shared(refusal.At)})
	}
	return marshal(r)
}

// marshal cannot fail: records hold strings and integers.
func marshal(record any) []byte {
	b, err := json.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("encoding %T: %v", record, err))
	}
	return b
}

var (
	errVersion = errors.New("unknown version")
	errRange   = errors.New("a value out of range")
	errField   = errors.New("no field value for a header")
)

// decodeToken fails on whatever this package would not have written. Errors
// hold nothing of the value.
func decodeToken(plain []byte, m measured) (tokencache.SharedToken, error) {
	var r tokenRecord
	if err := unmarshal(plain, &r); err != nil {
		return tokencache.SharedToken{}, err
	}
	switch {
	case r.Version != recordVersion:
		return tokencache.SharedToken{}, errVersion
	case !isFieldValue(r.Field):
		return tokencache.SharedToken{}, errField
	case !isMoment(r.Issued) || !isMoment(r.Expires) || r.Expires == 0:
		return tokencache.SharedToken{}, errRange
	}
	return tokencache.SharedToken{
		Field:   secret.New(r.Field),
		Refresh: secret.New(r.Refresh),
		Issued:  m.local(r.Issued),
		Expires: m.localEarly(r.Expires),
		Holder:  r.Holder,
	}, nil
}

func decodeHistory(plain []byte, m measured) (tokencache.History, error) {
	var r historyRecord
	if err := unmarshal(plain, &r); err != nil {
		return tokencache.History{}, err
	}
	if r.Version != recordVersion {
		return tokencache.History{}, errVersion
	}
	if !r.inRange() {
		return tokencache.History{}, errRange
	}
	h := tokencache.History{
		Failures:   r.Failures,
		FailedAt:   m.local(r.FailedAt),
		AskedFor:   time.Duration(r.AskedFor) * time.Millisecond,
		ReplacedAt: m.local(r.ReplacedAt),
		LastError:  r.LastError,
	}
	for _, refusal := range r.Refusals {
		h.Refusals = append(h.Refusals, tokencache.Refusal{ID: refusal.ID, At: m.local(refusal.At)})
	}
	return h, nil
}

func (r historyRecord) inRange() bool {
	for _, refusal := range r.Refusals {
		if !isMoment(refusal.At) {
			return false
		}
	}
	return r.Failures >= 0 && r.Failures <= maxFailures && isMoment(r.FailedAt) && isMoment(r.ReplacedAt) &&
		isMoment(r.AskedFor) && len(r.Refusals) <= maxRefusals && len(r.LastError) <= maxText
}

// unmarshal hides json's errors, which quote the value.
func unmarshal(plain []byte, record any) error {
	if json.Unmarshal(plain, record) != nil {
		return errors.New("not the JSON of a record")
	}
	return nil
}

// truncate leaves nothing that JSON would lengthen.
func truncate(s string) string {
	s = strings.ToValidUTF8(s, "?")
	return strings.ToValidUTF8(s[:min(len(s), maxText)], "")
}

func isMoment(ms int64) bool { return ms >= 0 && ms <= maxMoment }

// isFieldValue keeps CR, LF and everything that is not printable ASCII out of
// a header.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}
