package slow

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

const (
	// openers is how many connections are opened at once.
	openers = 32
	// beat and beats: every client moves once a second, not all at once.
	beat  = 100 * time.Millisecond
	beats = 10
)

// opening is how a client came to be, or not.
type opening struct {
	client *client
	err    error
}

// run is the life of a crowd's process.
func (c Crowd) run(ctx context.Context, out *json.Encoder) error {
	door, err := c.door()
	if err != nil {
		return err
	}
	opened := make(chan opening)
	go c.open(ctx, door, opened)
	var all []*client
	tick := time.NewTicker(beat)
	defer tick.Stop()
	now := progress{}
	for turn := 0; ; {
		select {
		case <-ctx.Done():
			for _, member := range all {
				member.conn.Close()
			}
			return nil
		case <-tick.C:
			drip(all, turn%beats)
			turn++
			continue
		case o := <-opened:
			if o.err != nil {
				now.Failed, now.Error = now.Failed+1, o.err.Error()
			} else {
				all = append(all, o.client)
			}
		}
		now.Ready = len(all)
		if err := out.Encode(now); err != nil {
			return err
		}
	}
}

// open opens all clients, kinds mixed.
func (c Crowd) open(ctx context.Context, door *door, opened chan<- opening) {
	var crowd sync.WaitGroup
	places := make(chan Group)
	for range openers {
		crowd.Go(func() {
			for g := range places {
				member, err := door.open(ctx, g)
				select {
				case opened <- opening{member, err}:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	defer crowd.Wait()
	defer close(places)
	for number := 0; ; number++ {
		left := false
		for _, g := range c.Groups {
			if number >= g.Count {
				continue
			}
			left = true
			select {
			case places <- g:
			case <-ctx.Done():
				return
			}
		}
		if !left {
			return
		}
	}
}

// drip has one client in ten move.
func drip(all []*client, turn int) {
	for i := turn; i < len(all); i += beats {
		all[i].move()
	}
}
