package redisstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"iqgateway/internal/fleet"
	"iqgateway/internal/redisconn"
)

// record is what a member tells, in clear: it names nobody but replicas.
type record struct {
	Version string     `json:"version"`
	Config  string     `json:"config,omitempty"`
	Done    fleet.ID   `json:"done"`
	Failed  []fleet.ID `json:"failed,omitempty"`
}

// envelope is what is sealed of a command.
type envelope struct {
	From    string `json:"from"`
	Kind    string `json:"kind"`
	Payload []byte `json:"payload"`
}

var errAnswer = errors.New("an answer that none of its scripts gives")

func encodeRecord(m fleet.Member) (string, error) {
	text, err := json.Marshal(record{m.Version, m.Config, m.Done, m.Failed})
	if err != nil {
		return "", fmt.Errorf("fleet: encoding a member: %w", err)
	}
	return string(text), nil
}

// readMember reads replica, last beat and "<start> <record>".
func readMember(answer []string) (fleet.Member, bool) {
	if len(answer) != 3 {
		return fleet.Member{}, false
	}
	seen, ok := micros(answer[1])
	if !ok {
		return fleet.Member{}, false
	}
	first, rest, _ := strings.Cut(answer[2], " ")
	started, ok := micros(first)
	var r record
	if !ok || json.Unmarshal([]byte(rest), &r) != nil {
		return fleet.Member{}, false
	}
	return fleet.Member{
		Replica: answer[0], Version: r.Version, Config: r.Config, Started: started, Seen: seen,
		Done: max(r.Done, fleet.ID(started.UnixMicro())), Failed: r.Failed,
	}, true
}

func (s *Store) readNews(replica string, answer []any) (fleet.News, error) {
	if len(answer) != 7 {
		return fleet.News{}, errAnswer
	}
	start, _ := answer[0].(string)
	alive, _ := answer[1].(int64)
	latest, _ := answer[2].(string)
	missed, _ := answer[3].(int64)
	values, _ := answer[4].([]any)
	asked, _ := answer[5].([]any)
	clock, _ := answer[6].(string)
	started, ok := micros(start)
	now, told := micros(clock)
	newest, err := strconv.ParseInt(latest, 10, 64)
	if !ok || !told || err != nil {
		return fleet.News{}, errAnswer
	}
	news := fleet.News{Started: started, Now: now, Members: int(alive), Latest: fleet.ID(newest), Missed: missed == 1, Questions: s.readQuestions(replica, asked)}
	for _, v := range values {
		text, _ := v.(string)
		if c, ok := s.open(text); ok {
			news.Commands = append(news.Commands, c)
		}
	}
	return news, nil
}

// seal returns what is stored of a command, bound to its place in the order:
// neither can it be sent again later, nor change places with another.
func (s *Store) seal(c fleet.Command) (string, error) {
	plain, err := json.Marshal(envelope{c.From, c.Kind, c.Payload})
	if err != nil {
		return "", fmt.Errorf("fleet: encoding a command: %w", err)
	}
	sealed, err := s.conn.Seal(kind, s.commands, uint64(c.ID), plain)
	if err != nil {
		return "", fmt.Errorf("fleet: sealing a command: %w", err)
	}
	return sealed, nil
}

// open reads "<id> <sealed>". A command that was tampered with keeps its place
// and says so; what has no place is none.
func (s *Store) open(value string) (fleet.Command, bool) {
	first, sealed, _ := strings.Cut(value, " ")
	id, err := strconv.ParseInt(first, 10, 64)
	if err != nil || id <= 0 {
		return fleet.Command{}, false
	}
	c := fleet.Command{ID: fleet.ID(id)}
	plain, err := s.conn.Open(kind, s.commands, uint64(id), sealed)
	if err != nil {
		c.Err = fmt.Errorf("opening a command: %w", err)
		rejected, ok := errors.AsType[*redisconn.RejectedError](err)
		c.Later = ok && rejected.Reason == redisconn.UnknownKey
		return c, true
	}
	var e envelope
	if err := json.Unmarshal(plain, &e); err != nil {
		c.Err = fmt.Errorf("reading a command: %w", err)
		return c, true
	}
	c.From, c.Kind, c.Payload = e.From, e.Kind, e.Payload
	return c, true
}
