package redisstore

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"iqgateway/limiter"
)

// list reads what Lua writes: an empty table has no kind and comes as {}.
type list[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *list[T]) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("{}")) {
		*l = nil
		return nil
	}
	return json.Unmarshal(text, (*[]T)(l))
}

// wireAsk is an Ask as the script reads it. SharesID goes as text: it may be a
// hash of 64 bits, which Lua's doubles would round. No Shares are not the same
// as those of a configuration without any.
type wireAsk struct {
	limiter.Ask
	SharesID int64           `json:"sid,string"`
	Shares   []limiter.Share `json:"shr"`
}

// wireAnswer is an Answer as the script writes it.
type wireAnswer struct {
	limiter.Answer
	SharesID int64               `json:"sid,string"`
	Grants   list[int64]         `json:"g"`
	Left     list[int64]         `json:"lf"`
	Fair     list[int64]         `json:"fr"`
	Top      list[limiter.Usage] `json:"top"`
	Closed   *wireClosed         `json:"cl"`
}

// wireClosed is a record of a window as the script writes it.
type wireClosed struct {
	limiter.Closed
	By list[limiter.Usage] `json:"by"`
}

// encodeAsk hides the names in an Ask. They are then in another order, in which
// the script wants the Uses: order[i] is the index in the Ask of the i-th use
// that is sent.
func (s *Store) encodeAsk(ask limiter.Ask) (text []byte, order []int, err error) {
	order = make([]int, len(ask.Uses))
	hidden := make([]limiter.Use, len(ask.Uses))
	for i, use := range ask.Uses {
		order[i] = i
		hidden[i] = use
		hidden[i].Caller = s.names.hide(use.Caller)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(hidden[a].Caller, hidden[b].Caller), cmp.Compare(hidden[a].Class, hidden[b].Class))
	})
	ask.Uses = make([]limiter.Use, len(hidden))
	for i, from := range order {
		ask.Uses[i] = hidden[from]
	}
	ask.Shares = slices.Clone(ask.Shares)
	for i := range ask.Shares {
		ask.Shares[i].Caller = s.names.hide(ask.Shares[i].Caller)
	}
	slices.SortStableFunc(ask.Shares, func(a, b limiter.Share) int { return cmp.Compare(a.Caller, b.Caller) })
	ask.Replica = s.conn.Hide("quota replica", ask.Replica)
	text, err = json.Marshal(wireAsk{Ask: ask, SharesID: ask.SharesID, Shares: ask.Shares})
	if err != nil {
		return nil, nil, fmt.Errorf("encoding an ask: %w", err)
	}
	return text, order, nil
}

var errAnswer = errors.New("an answer that none of the scripts gives")

// decodeAnswer reads an Answer to an Ask whose Uses were sent in that order.
func (s *Store) decodeAnswer(text string, order []int) (limiter.Answer, error) {
	var w wireAnswer
	if err := unmarshal(text, &w); err != nil {
		return limiter.Answer{}, err
	}
	a := w.Answer
	a.SharesID = w.SharesID
	var fits [3]bool
	a.Grants, fits[0] = reorder(w.Grants, order)
	a.Left, fits[1] = reorder(w.Left, order)
	a.Fair, fits[2] = reorder(w.Fair, order)
	if slices.Contains(fits[:], false) {
		return limiter.Answer{}, errAnswer
	}
	a.Top = s.reveal(w.Top)
	if w.Closed != nil {
		a.Closed = s.closed(*w.Closed)
	}
	return a, nil
}

// reorder puts the numbers of uses back into the order of the Ask.
func reorder(sent []int64, order []int) ([]int64, bool) {
	if len(sent) != len(order) {
		return nil, false
	}
	out := make([]int64, len(sent))
	for i, n := range sent {
		out[order[i]] = n
	}
	return out, true
}

func (s *Store) closed(w wireClosed) *limiter.Closed {
	c := w.Closed
	c.By = s.reveal(w.By)
	return &c
}

// reveal names the callers; those that are not known become one.
func (s *Store) reveal(hidden []limiter.Usage) []limiter.Usage {
	if len(hidden) == 0 {
		return nil
	}
	named := make([]limiter.Usage, 0, len(hidden))
	others := limiter.Usage{Caller: OtherCaller}
	unknown := false
	for _, u := range hidden {
		if u.Caller = s.names.reveal(u.Caller); u.Caller == OtherCaller {
			others.Spent += u.Spent
			unknown = true
			continue
		}
		named = append(named, u)
	}
	if unknown {
		named = append(named, others)
	}
	slices.SortStableFunc(named, func(a, b limiter.Usage) int { return cmp.Compare(b.Spent, a.Spent) })
	return named
}

// large finds numbers that Lua wrote with an exponent, because they have more
// than 14 digits. No text that a script answers contains such.
const large = `-?[0-9](\.[0-9]+)?e\+[0-9]{2}`

// unmarshal also reads large numbers, which json wants in full.
func unmarshal(text string, into any) error {
	if strings.Contains(text, "e+") {
		text = regexp.MustCompile(large).ReplaceAllStringFunc(text, func(number string) string {
			f, err := strconv.ParseFloat(number, 64)
			if err != nil {
				return number
			}
			return strconv.FormatFloat(f, 'f', 0, 64)
		})
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	return nil
}
