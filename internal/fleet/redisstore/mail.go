package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/fleet"
)

// mailLife is how long a question or an answer stays: whoever asked has given
// up by then.
const mailLife = 2 * fleet.AskPatience

// What askScript answers when it leaves no question.
const (
	notAlive     = 0
	askedTooMuch = 2
)

// letter is what is sealed of a question. Its replica stands in the name of the
// key that holds it, to which it is bound.
type letter struct {
	ID      string `json:"id"`
	From    string `json:"from"`
	Kind    string `json:"kind"`
	Payload []byte `json:"payload"`
}

// boxOf holds the questions for one replica, in the slot of all other keys.
func (s *Store) boxOf(replica string) string { return s.key.Field("asked:" + replica) }

func (s *Store) answerOf(q fleet.Question) string { return s.key.Field("answer:" + q.ID) }

// Ask implements [fleet.Mail].
func (s *Store) Ask(ctx context.Context, questions []fleet.Question) ([]error, error) {
	boxes := make([]string, len(questions))
	args := []any{fleet.Silence.Microseconds(), fleet.MaxAsked, mailLife.Milliseconds()}
	for i, q := range questions {
		boxes[i] = s.boxOf(q.To)
		sealed, err := s.sealQuestion(boxes[i], q)
		if err != nil {
			return nil, err
		}
		args = append(args, q.To, sealed)
	}
	var left []int64
	err := s.conn.Call(ctx, "fleet.ask", func(ctx context.Context, r redis.UniversalClient) (err error) {
		left, err = s.ask.Run(ctx, r, append([]string{s.seen}, boxes...), args...).Int64Slice()
		return err
	})
	switch {
	case err != nil:
		return nil, s.heal(ctx, err, boxes...)
	case len(left) != len(questions):
		return nil, fmt.Errorf("fleet: %d answers to %d questions", len(left), len(questions))
	}
	refused := make([]error, len(left))
	for i, l := range left {
		switch l {
		case notAlive:
			refused[i] = fleet.ErrNobody
		case askedTooMuch:
			refused[i] = fleet.ErrAsking
		}
	}
	return refused, nil
}

func (s *Store) sealQuestion(box string, q fleet.Question) (string, error) {
	plain, err := json.Marshal(letter{q.ID, q.From, q.Kind, q.Payload})
	if err != nil {
		return "", fmt.Errorf("fleet: encoding a question: %w", err)
	}
	sealed, err := s.conn.Seal(kind, box, 0, plain)
	if err != nil {
		return "", fmt.Errorf("fleet: sealing a question: %w", err)
	}
	return sealed, nil
}

// Reply implements [fleet.Mail].
func (s *Store) Reply(ctx context.Context, q fleet.Question, answer []byte) error {
	place := s.answerOf(q)
	sealed, err := s.conn.Seal(kind, place, 0, answer)
	if err != nil {
		return fmt.Errorf("fleet: sealing an answer: %w", err)
	}
	return s.conn.CallIdempotent(ctx, "fleet.reply", func(ctx context.Context, r redis.UniversalClient) error {
		return r.Set(ctx, place, sealed, mailLife).Err()
	})
}

// Answers implements [fleet.Mail].
func (s *Store) Answers(ctx context.Context, questions []fleet.Question) ([][]byte, error) {
	var sealed []*redis.StringCmd
	// Not one MGET, which would need one more right.
	err := s.conn.CallIdempotent(ctx, "fleet.answer", func(ctx context.Context, r redis.UniversalClient) error {
		sealed = make([]*redis.StringCmd, len(questions))
		_, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, q := range questions {
				sealed[i] = p.Get(ctx, s.answerOf(q))
			}
			return nil
		})
		if errors.Is(err, redis.Nil) { // the first of those that are not there
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	answers := make([][]byte, len(questions))
	for i, q := range questions {
		text, err := sealed[i].Result()
		if err != nil {
			continue
		}
		if plain, err := s.conn.Open(kind, s.answerOf(q), 0, text); err == nil { // what somebody else wrote there is no answer
			answers[i] = append([]byte{}, plain...) // not nil: there is one
		}
	}
	return answers, nil
}

// readQuestions opens what a beat has found in the box of a replica.
func (s *Store) readQuestions(replica string, values []any) []fleet.Question {
	var list []fleet.Question
	for _, v := range values {
		text, _ := v.(string)
		list = append(list, s.readQuestion(replica, text))
	}
	return list
}

func (s *Store) readQuestion(replica, sealed string) fleet.Question {
	q := fleet.Question{To: replica}
	plain, err := s.conn.Open(kind, s.boxOf(replica), 0, sealed)
	if err != nil {
		q.Err = fmt.Errorf("opening a question: %w", err)
		return q
	}
	var l letter
	if err := json.Unmarshal(plain, &l); err != nil {
		q.Err = fmt.Errorf("reading a question: %w", err)
		return q
	}
	q.ID, q.From, q.Kind, q.Payload = l.ID, l.From, l.Kind, l.Payload
	return q
}

var _ fleet.Mail = (*Store)(nil)
