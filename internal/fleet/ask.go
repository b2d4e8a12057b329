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
	// MaxReplicas is how many other replicas [Fleet.AskAll] asks.
	MaxReplicas = 64
	askPoll     = 25 * time.Millisecond
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
	// ErrNotAsked means that the replica is beyond the [MaxReplicas] that are asked;
	// it will not be the next time either.
	ErrNotAsked = errors.New("more replicas are alive than are asked")
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
	// Ask leaves each question for its replica. It returns an error for each, in
	// their order: nil, [ErrNobody] where that is not alive, or [ErrAsking] where
	// it has [MaxAsked] questions waiting; or one error for all, where the trip
	// failed.
	Ask(ctx context.Context, questions []Question) ([]error, error)
	// Reply leaves the answer.
	Reply(ctx context.Context, q Question, answer []byte) error
	// Answers returns the answers in the order of the questions; nil means that
	// there is none yet, or none that can be read. A trip that failed is an
	// error.
	Answers(ctx context.Context, questions []Question) ([][]byte, error)
}

// Answer is what one replica has answered.
type Answer struct {
	Replica string
	Text    []byte // empty with an error
	Err     error
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
	ctx, cancel := context.WithTimeout(ctx, AskPatience)
	defer cancel()
	q := f.question(to, kind, payload)
	if to == f.o.Replica {
		return f.answer(ctx, q)
	}
	if !f.asking.begin(asker) {
		return nil, ErrAsking
	}
	defer f.asking.end(asker)
	answers, err := f.askOthers(ctx, []Question{q})
	if err != nil {
		return nil, err
	}
	return answers[0].Text, answers[0].Err
}

// AskAll asks this replica and every other one that is alive, [MaxReplicas] of
// them at most, with the patience and the bounds of [Fleet.Ask], for which they are
// one question. It returns what each has answered, or why it has not: this one
// first, then the others by name. An error is why no other could be asked, or, with
// no answer at all, why nobody was.
func (f *Fleet) AskAll(ctx context.Context, asker, kind string, payload []byte) ([]Answer, error) {
	if len(payload) > MaxPayload {
		return nil, fmt.Errorf("question %q: a payload of %d bytes, at most %d go", kind, len(payload), MaxPayload)
	}
	if !f.asking.begin(asker) {
		return nil, ErrAsking
	}
	defer f.asking.end(asker)
	ctx, cancel := context.WithTimeout(ctx, AskPatience)
	defer cancel()
	own := Answer{Replica: f.o.Replica}
	own.Text, own.Err = f.answer(ctx, f.question(own.Replica, kind, payload))
	others, err := f.askAlive(ctx, kind, payload)
	return append([]Answer{own}, others...), err
}

// askAlive asks all others.
func (f *Fleet) askAlive(ctx context.Context, kind string, payload []byte) ([]Answer, error) {
	if f.o.Store == nil {
		return nil, nil
	}
	members, err := f.o.Store.Members(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	var questions []Question
	for _, m := range members {
		if m.Replica != f.o.Replica {
			questions = append(questions, f.question(m.Replica, kind, payload))
		}
	}
	if len(questions) == 0 {
		return nil, nil
	}
	asked := questions[:min(len(questions), MaxReplicas)]
	answers, err := f.askOthers(ctx, asked)
	if err != nil {
		return nil, err
	}
	for _, q := range questions[len(asked):] {
		answers = append(answers, Answer{Replica: q.To, Err: ErrNotAsked})
	}
	return answers, nil
}

func (f *Fleet) question(to, kind string, payload []byte) Question {
	return Question{ID: rand.Text(), From: f.o.Replica, To: to, Kind: kind, Payload: payload}
}

// askOthers asks several replicas at once and waits for them all until ctx ends.
func (f *Fleet) askOthers(ctx context.Context, questions []Question) ([]Answer, error) {
	mail, ok := f.o.Store.(Mail)
	if !ok {
		return nil, ErrNobody
	}
	refused, err := mail.Ask(ctx, questions)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	answers := make([]Answer, len(questions))
	for i, q := range questions {
		answers[i] = Answer{Replica: q.To, Err: refused[i]}
	}
	awaitAnswers(ctx, mail, questions, answers)
	return answers, nil
}

// awaitAnswers fills in the answers of those that were not refused. Whoever has
// not answered when ctx ends has ErrNoAnswer.
func awaitAnswers(ctx context.Context, mail Mail, questions []Question, answers []Answer) {
	var open []Question
	var place []int // of each in answers
	for i, q := range questions {
		if answers[i].Err == nil {
			open, place = append(open, q), append(place, i)
		}
	}
	ticker := time.NewTicker(askPoll)
	defer ticker.Stop()
	for len(open) > 0 {
		select {
		case <-ctx.Done():
			for _, i := range place {
				answers[i].Err = fmt.Errorf("%w: %w", ErrNoAnswer, ctx.Err())
			}
			return
		case <-ticker.C:
		}
		texts, err := mail.Answers(ctx, open)
		if err != nil { // it may pass: there is time until the end of ctx
			continue
		}
		var still []Question
		var places []int
		for n, text := range texts {
			if text == nil {
				still, places = append(still, open[n]), append(places, place[n])
				continue
			}
			answers[place[n]].Text = text
		}
		open, place = still, places
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
