package redisstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"iqgateway/breaker"
)

// maxText is how much of an operator's words is kept, in bytes.
const maxText = 1000

// detail is what the scripts pass on unread.
type detail struct {
	Reason breaker.Reason `json:"reason,omitempty"`
	By     string         `json:"by,omitempty"`
	Why    string         `json:"why,omitempty"`
}

func encode(c breaker.Change) (string, error) {
	text, err := json.Marshal(detail{Reason: c.Reason, By: cut(c.By), Why: cut(c.Why)})
	if err != nil {
		return "", fmt.Errorf("breaker: encoding a record: %w", err)
	}
	return string(text), nil
}

func cut(text string) string { return text[:min(len(text), maxText)] }

// readRecords reads the answer of load: name and record of each.
func readRecords(answer []any) (map[string]any, error) {
	if len(answer)%2 != 0 {
		return nil, errReply
	}
	all := make(map[string]any, len(answer)/2)
	for i := 0; i < len(answer); i += 2 {
		name, ok := answer[i].(string)
		if !ok {
			return nil, errReply
		}
		all[name] = answer[i+1]
	}
	return all, nil
}

// read reads one record as the scripts show it; false = there is none, or it is
// not one of ours.
func (s *Store) read(value any) (breaker.Record, bool) {
	values, ok := value.([]any)
	if ok && len(values) == 0 {
		return breaker.Record{}, false
	}
	r, ok := parse(values)
	if !ok {
		s.hooks.discarded("records", "malformed")
	}
	return r, ok
}

// parse reads version, state, left, age, step and detail.
func parse(values []any) (breaker.Record, bool) {
	if len(values) != 6 {
		return breaker.Record{}, false
	}
	var texts [6]string
	for i, v := range values {
		text, ok := v.(string)
		if !ok {
			return breaker.Record{}, false
		}
		texts[i] = text
	}
	version, err := strconv.ParseUint(texts[0], 10, 64)
	left, errLeft := strconv.ParseUint(texts[2], 10, 40)
	age, errAge := strconv.ParseUint(texts[3], 10, 40)
	step, errStep := strconv.ParseUint(texts[4], 10, 31)
	var d detail
	errDetail := json.Unmarshal([]byte(texts[5]), &d)
	for _, err := range []error{err, errLeft, errAge, errStep, errDetail} {
		if err != nil {
			return breaker.Record{}, false
		}
	}
	return breaker.Record{
		Version: version, State: breaker.State(texts[1]), Step: int(step),
		Left: time.Duration(left) * time.Millisecond, Age: time.Duration(age) * time.Millisecond,
		Reason: d.Reason, By: d.By, Why: d.Why,
	}, true
}
