package fleet

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Patience is how long [Fleet.Send] waits for the other replicas, and how long
// a handler may take.
const Patience = 3 * time.Second

// pollsPerInterval is how often a waiting Send asks how far the others are.
const pollsPerInterval = 10

// Result says who has followed a command.
type Result struct {
	Replicas int  `json:"replicas"` // known to be alive, this one included
	Followed int  `json:"followed"` // of those, how many have executed it successfully
	Alone    bool `json:"alone"`    // only this replica was asked, see Reason
	// Reason says why nobody else was asked, or why nothing is known of them.
	Reason string `json:"reason,omitzero"`
	// Behind names the replicas that have not followed (yet): their handler
	// failed, or they are busy or cut off. They execute it when they come back
	// within [KeptFor].
	Behind []string `json:"behind,omitzero"`
}

// Send executes a command on this replica at once, whether the store answers
// or not, then tells the others and waits for them, at most for [Patience] or
// until ctx ends: the command itself goes on then. Others execute commands in
// the order in which they were sent.
//
// An error says that this replica has not followed; the Result counts all the
// same, because the others were told. It is about nobody (zero) when the
// command cannot be sent at all: an unknown kind ([ErrKind]) or a payload above
// [MaxPayload].
func (f *Fleet) Send(ctx context.Context, kind string, payload []byte) (Result, error) {
	if f.o.Handle[kind] == nil {
		return Result{}, fmt.Errorf("%q: %w", kind, ErrKind)
	}
	if len(payload) > MaxPayload {
		return Result{}, fmt.Errorf("command %q: a payload of %d bytes, at most %d go", kind, len(payload), MaxPayload)
	}
	command := Command{From: f.o.Replica, Kind: kind, Payload: slices.Clone(payload)}
	err := f.execute(context.WithoutCancel(ctx), command)
	result := f.tell(ctx, command)
	if err != nil {
		result.Behind = append(result.Behind, f.o.Replica)
		slices.Sort(result.Behind)
		return result, err
	}
	result.Followed++
	return result, nil
}

// tell counts this replica among Replicas, not among Followed.
func (f *Fleet) tell(ctx context.Context, c Command) Result {
	if f.o.Store == nil {
		return Result{Replicas: 1, Alone: true, Reason: "no Redis is configured, so there are no other replicas to tell"}
	}
	id, err := f.o.Store.Append(context.WithoutCancel(ctx), c)
	if err != nil {
		return f.alone(err)
	}
	return f.await(ctx, id)
}

func (f *Fleet) alone(err error) Result {
	return Result{Replicas: f.Size(), Alone: true, Reason: "the other replicas could not be told: " + err.Error()}
}

// await asks how far the others are until all have followed or patience ends.
func (f *Fleet) await(ctx context.Context, id ID) Result {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	ticker := time.NewTicker(max(f.o.Interval/pollsPerInterval, time.Millisecond))
	defer ticker.Stop()
	result := Result{Replicas: f.Size(), Reason: "the store of the fleet has not answered since"}
	awaited := map[string]Member{}
	for {
		if members, err := f.o.Store.Members(ctx); err == nil {
			for _, m := range members {
				awaited[m.Replica] = m
			}
			var waiting bool
			if result, waiting = f.count(awaited, id); !waiting {
				return result
			}
		}
		select {
		case <-ctx.Done():
			return result
		case <-ticker.C:
		}
	}
}

// count leaves out members that began after the command: they hold nothing
// from before it. Those that have fallen silent meanwhile count as behind:
// whether they have ended or are only cut off, nobody can tell.
func (f *Fleet) count(awaited map[string]Member, id ID) (result Result, waiting bool) {
	result.Replicas = 1
	for name, m := range awaited {
		switch {
		case name == f.o.Replica || idAt(m.Started) >= id:
		case m.followed(id):
			result.Replicas++
			result.Followed++
		default:
			result.Replicas++
			result.Behind = append(result.Behind, name)
			waiting = waiting || m.Done < id
		}
	}
	slices.Sort(result.Behind)
	return result, waiting
}
