package redisstore

import (
	"context"
	"encoding/json"

	"iqgateway/limiter"
)

// Timed is a Store whose scripts are told the time, and nothing is hidden from
// its test: names are as they stand in Redis.
type Timed struct {
	*Store
	scripts scripts
}

// NewTimed returns one over the connection of s.
func NewTimed(s *Store) Timed {
	return Timed{Store: s, scripts: newScripts("local function clock() return tonumber(ARGV[#ARGV]) end\n")}
}

// Hidden returns the Ask as the script gets it, and its text.
func (s Timed) Hidden(ask limiter.Ask) (hidden limiter.Ask, text []byte, err error) {
	text, _, err = s.encodeAsk(ask)
	if err != nil {
		return limiter.Ask{}, nil, err
	}
	var w wireAsk
	err = json.Unmarshal(text, &w)
	w.Ask.SharesID, w.Ask.Shares = w.SharesID, w.Shares
	return w.Ask, text, err
}

// AcquireAt runs the script on the text of an Ask.
func (s Timed) AcquireAt(ctx context.Context, key limiter.Key, text []byte, now int64) (limiter.Answer, error) {
	r, err := s.call(ctx, "test", key, s.scripts.acquire, text, now)
	if err != nil {
		return limiter.Answer{}, err
	}
	var w wireAnswer
	err = unmarshal(r.text, &w)
	return w.plain(), err
}

// ViewAt runs the script of View; the records of windows are left out.
func (s Timed) ViewAt(ctx context.Context, key limiter.Key, now int64) (limiter.Snapshot, error) {
	r, err := s.call(ctx, "test", key, s.scripts.view, now)
	if err != nil {
		return limiter.Snapshot{}, err
	}
	var w wireSnapshot
	err = unmarshal(r.text, &w)
	held, _ := r.rest[0].(string)
	return limiter.Snapshot{Answer: w.Answer.plain(), Callers: w.Callers, Held: held}, err
}

// plain is the answer as it stands, with hidden names.
func (w wireAnswer) plain() limiter.Answer {
	a := w.Answer
	a.SharesID, a.Grants, a.Left, a.Fair, a.Top = w.SharesID, w.Grants, w.Left, w.Fair, w.Top
	if w.Closed != nil {
		c := w.Closed.Closed
		c.By = w.Closed.By
		a.Closed = &c
	}
	return a
}

// Magic is what a state begins with.
const Magic = "iqgw-quota-1 "
