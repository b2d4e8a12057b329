package fleet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

const (
	// AskPatience is how long [Fleet.Ask] waits for an answer, and how long an
	// [Answerer] may take. A question is read with the next beat.
	AskPatience = 2 * time.Second
	// MaxAsked is how many questions wait for one replica at most; more are not
	// asked.
	MaxAsked = 32
	// MaxAnswer bounds an answer, in bytes.
	MaxAnswer = 64 << 10
	askPoll   = 25 * time.Millisecond
)

// Errors of [Fleet.Ask].
var (
	// ErrNobody means that no replica of that name is alive, as far as this one
	// can know: without a store it is alone.
	ErrNobody = errors.New("no such replica is alive")
	// ErrStore means that the store does not take questions: it does not answer,
	// or has no keys.
	ErrStore = errors.New("replicas cannot be asked")
	// ErrNoAnswer means that the replica did not answer in time.
	ErrNoAnswer = errors.New("the replica did not answer in time")
	// ErrAsking means that too many questions are open: of this replica, of the
	// asker, or to the replica that was to be asked.
	ErrAsking = errors.New("too many questions are open")
)

// Answerer answers questions of one kind. It must be safe for concurrent use
// and heed its context, which ends after [AskPatience]. An error, or an answer
// above [MaxAnswer], is told to nobody: the question stays unanswered.
type Answerer = func(ctx context.Context, payload []byte) ([]byte, error)

// Question is what one replica asks another.
type Question struct {
	ID      string // random; names the place of the answer
	From    string
	To      string
	Kind    string
	Payload []byte
	Err     error // why the store cannot read it
}

// Mail is what a [Store] has too when replicas can ask each other. Questions
// reach a replica with the news of its beat, each once at most. Every call makes
// one trip. What is asked and answered is forgotten within seconds.
type Mail interface {
	// Ask leaves a question for a replica. The error is [ErrNobody] where it is
	// not alive, [ErrAsking] where it has [MaxAsked] questions waiting.
	Ask(ctx context.Context, q Question) error
	// Reply leaves the answer.
	Reply(ctx context.Context, q Question, answer []byte) error
	// Answer returns the answer; false means that there is none yet.
	Answer(ctx context.Context, q Question) (answer []byte, there bool, err error)
}

// Ask asks one replica, which answers with its [Answerer] of the kind; this one
// answers itself. It waits for at most [AskPatience]. Unlike a command, a
// question takes no place in the order of commands, so that whoever may cause
// one cannot displace what operators have sent. Callers have two
// questions open at most, each, and leave operators (asker "") some.
func (f *Fleet) Ask(ctx context.Context, asker, to, kind string, payload []byte) ([]byte, error) {
	if len(payload) > MaxPayload {
		return nil, fmt.Errorf("question %q: a payload of %d bytes, at most %d go", kind, len(payload), MaxPayload)
	}
	q := Question{ID: rand.Text(), From: f.o.Replica, To: to, Kind: kind, Payload: payload}
	ctx, cancel := context.WithTimeout(ctx, AskPatience)
	defer cancel()
	if to == f.o.Replica {
		return f.answer(ctx, q)
	}
	mail, ok := f.o.Store.(Mail)
	if !ok {
		return nil, ErrNobody
	}
	if !f.asking.begin(asker) {
		return nil, ErrAsking
	}
	defer f.asking.end(asker)
	switch err := mail.Ask(ctx, q); {
	case errors.Is(err, ErrNobody), errors.Is(err, ErrAsking):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	return f.awaitAnswer(ctx, mail, q)
}

func (f *Fleet) awaitAnswer(ctx context.Context, mail Mail, q Question) ([]byte, error) {
	ticker := time.NewTicker(askPoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrNoAnswer, ctx.Err())
		case <-ticker.C:
		}
		// An error may pass: there is time until the end of ctx.
		if answer, there, err := mail.Answer(ctx, q); err == nil && there {
			return answer, nil
		}
	}
}

// reply answers the questions of one beat, at once.
func (f *Fleet) reply(ctx context.Context, questions []Question) {
	mail, ok := f.o.Store.(Mail)
	if !ok {
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	for _, q := range questions {
		if q.Err != nil || q.To != f.o.Replica {
			continue
		}
		all.Go(func() {
			steady.Try(func() {
				ctx, cancel := context.WithTimeout(ctx, AskPatience)
				defer cancel()
				if answer, err := f.answer(ctx, q); err == nil {
					_ = mail.Reply(ctx, q, answer) // who asked learns by waiting
				}
			}, f.o.Hooks.panicked)
		})
	}
}

// answer asks this replica's own answerer; a panic in it is an error.
func (f *Fleet) answer(ctx context.Context, q Question) (answer []byte, err error) {
	handle := f.o.Answer[q.Kind]
	if handle == nil {
		return nil, fmt.Errorf("%q: %w", q.Kind, ErrKind)
	}
	defer func() {
		if v := recover(); v != nil {
			f.o.Hooks.panicked(v, debug.Stack())
			answer, err = nil, fmt.Errorf("panic in the answerer of %q: %v", q.Kind, v)
		}
	}()
	if answer, err = handle(ctx, q.Payload); err == nil && len(answer) > MaxAnswer {
		return nil, fmt.Errorf("the answer of %q has %d bytes, at most %d go", q.Kind, len(answer), MaxAnswer)
	}
	return answer, err
}
