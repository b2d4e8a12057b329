package redisstore

import (
	"fmt"

	"iqgateway/limiter"
)

// wireSnapshot is what the view script writes. History and Held come beside it.
type wireSnapshot struct {
	Answer  wireAnswer                `json:"answer"`
	Callers list[limiter.CallerState] `json:"callers"`
}

// decodeSnapshot reads a snapshot from its text, the operator's reason and the
// records of the windows that are over.
func (s *Store) decodeSnapshot(r reply) (limiter.Snapshot, error) {
	var w wireSnapshot
	if err := unmarshal(r.text, &w); err != nil {
		return limiter.Snapshot{}, err
	}
	if len(r.rest) != 2 {
		return limiter.Snapshot{}, errAnswer
	}
	held, isText := r.rest[0].(string)
	records, isList := r.rest[1].([]any)
	if !isText || !isList {
		return limiter.Snapshot{}, errAnswer
	}
	snapshot := limiter.Snapshot{Answer: w.Answer.Answer, Held: held}
	snapshot.SharesID = w.Answer.SharesID
	snapshot.Top = s.reveal(w.Answer.Top)
	snapshot.Callers = s.callers(w.Callers)
	for i, record := range records {
		closed, err := s.decodeClosed(record)
		if err != nil {
			s.hooks.discarded("history", "unreadable")
			continue
		}
		if i < historyLength {
			snapshot.History = append(snapshot.History, closed)
		}
	}
	return snapshot, nil
}

func (s *Store) decodeClosed(record any) (limiter.Closed, error) {
	text, isText := record.(string)
	if !isText {
		return limiter.Closed{}, errAnswer
	}
	var w wireClosed
	if err := unmarshal(text, &w); err != nil {
		return limiter.Closed{}, fmt.Errorf("a record of a window: %w", err)
	}
	return *s.closed(w), nil
}

// callers names them; those that are not known become one, the last.
func (s *Store) callers(hidden []limiter.CallerState) []limiter.CallerState {
	var named []limiter.CallerState
	others := limiter.CallerState{Caller: OtherCaller}
	unknown := false
	for _, c := range hidden {
		if c.Caller = s.names.reveal(c.Caller); c.Caller != OtherCaller {
			named = append(named, c)
			continue
		}
		unknown = true
		others.Spent += c.Spent
		others.Waiting += c.Waiting
		for class := range others.Rate {
			others.Rate[class] += c.Rate[class]
		}
	}
	if unknown {
		named = append(named, others)
	}
	return named
}
