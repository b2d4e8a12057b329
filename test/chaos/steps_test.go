package chaos_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
	"iqgateway/test/chaos"
	"iqgateway/test/rig"
)

// undo ends a step.
type undo func() error

// walk takes the steps of a lane at their times, until the context ends; what
// was begun is ended in any case.
func (f *fleet) walk(ctx context.Context, t *testing.T, steps []chaos.Step, begin func(context.Context, *testing.T, chaos.Step) (undo, error)) {
	t.Helper()
	start := time.Now()
	for _, s := range steps {
		if !rig.Pass(ctx, time.Until(start.Add(s.At))) {
			return
		}
		t.Log(s)
		note := func(time.Time) {}
		if touchesLinks(s.Kind) {
			note = f.journal.Begin(s.Replica, time.Now())
		}
		end, err := begin(ctx, t, s)
		if err == nil {
			rig.Pass(ctx, s.For)
			err = end()
		}
		note(time.Now())
		if err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// touchesLinks reports whether a step by itself may break the exchange of a
// write. What the upstream spoils stands in its ledger, write by write.
func touchesLinks(kind chaos.Kind) bool {
	switch kind {
	case chaos.Unavailable, chaos.FailedAfter, chaos.CutAfter, chaos.CutBefore, chaos.SlowHeader, chaos.Slow, chaos.Truncated,
		chaos.Garbage, chaos.Throttled, chaos.TokenDown, chaos.TokenCut, chaos.TokensRevoked,
		chaos.RedisKill, chaos.RedisFreeze, chaos.RedisCut, chaos.RedisScripts:
		return false
	default:
		return true
	}
}

// beginReplica begins a step about one replica.
func (f *fleet) beginReplica(ctx context.Context, _ *testing.T, s chaos.Step) (undo, error) {
	g := f.gateways[s.Replica]
	ctx = context.WithoutCancel(ctx) // a gateway that is down comes back, whatever the round does
	switch s.Kind {
	case chaos.Kill:
		return func() error { return g.Start(ctx) }, g.Kill()
	case chaos.Restart:
		return func() error { return g.Start(ctx) }, g.Stop()
	case chaos.Freeze:
		return g.Thaw, g.Freeze()
	case chaos.CallerCut:
		return cut(f.callers[s.Replica])
	case chaos.OriginCut:
		return cut(f.origins[s.Replica])
	default:
		l, disturbances := f.linkStep(s)
		return disturb(l, disturbances...)
	}
}

// linkStep is the disturbances of a step about a link.
func (f *fleet) linkStep(s chaos.Step) (*rig.Link, []rig.Disturbance) {
	one := func(kind string, direction rig.Direction, name string, value int) []rig.Disturbance {
		return []rig.Disturbance{{Kind: kind, Direction: direction, Attributes: map[string]int{name: value}}}
	}
	both := func(kind, name string, value int) []rig.Disturbance {
		return append(one(kind, rig.Requests, name, value), one(kind, rig.Answers, name, value)...)
	}
	caller, origin := f.callers[s.Replica], f.origins[s.Replica]
	switch s.Kind {
	case chaos.CallerReset:
		return caller, both("reset_peer", "timeout", 0)
	case chaos.CallerStall:
		return caller, both("timeout", "timeout", 0)
	case chaos.CallerSlow:
		return caller, both("latency", "latency", 150)
	case chaos.CallerNarrow:
		return caller, one("bandwidth", rig.Requests, "rate", 200)
	case chaos.CallerTruncate:
		return caller, one("limit_data", rig.Requests, "bytes", 2000)
	case chaos.OriginReset:
		return origin, both("reset_peer", "timeout", 0)
	case chaos.OriginDeaf:
		return origin, one("timeout", rig.Requests, "timeout", 0)
	case chaos.OriginMute:
		return origin, one("timeout", rig.Answers, "timeout", 0)
	case chaos.OriginSlow:
		return origin, both("latency", "latency", 150)
	case chaos.OriginNarrow:
		return origin, one("bandwidth", rig.Requests, "rate", 200)
	case chaos.OriginHalfAsk:
		return origin, one("limit_data", rig.Requests, "bytes", 3000)
	case chaos.OriginHalfReply:
		return origin, one("limit_data", rig.Answers, "bytes", halfReply(wayOf(s.Replica)))
	default:
		panic("no step about a link: " + string(s.Kind))
	}
}

// halfReply is so many bytes that an answer breaks off, not the handshake.
func halfReply(over way) int {
	if over == plain {
		return 900
	}
	return 2400
}

func cut(links ...*rig.Link) (undo, error) {
	for _, l := range links {
		l.Cut()
	}
	return func() error {
		var errs []error
		for _, l := range links {
			errs = append(errs, l.Mend())
		}
		return errors.Join(errs...)
	}, nil
}

func disturb(l *rig.Link, disturbances ...rig.Disturbance) (undo, error) {
	var ends []undo
	var errs []error
	for _, d := range disturbances {
		end, err := l.Disturb(d)
		if errs = append(errs, err); err == nil {
			ends = append(ends, end)
		}
	}
	return func() error {
		var errs []error
		for _, end := range ends {
			errs = append(errs, end())
		}
		return errors.Join(errs...)
	}, errors.Join(errs...)
}

// beginCommon begins a step that concerns all replicas.
func (f *fleet) beginCommon(_ context.Context, t *testing.T, s chaos.Step) (undo, error) {
	t.Helper()
	switch s.Kind {
	case chaos.TokenCut:
		return cut(f.token)
	case chaos.TokensRevoked:
		_, err := f.RevokeTokens(iqsim.TokenQuery{})
		return func() error { return nil }, err
	case chaos.RedisCut:
		return cut(f.stores...)
	case chaos.RedisScripts:
		f.redis.ScriptFlush(t)
		return func() error { return nil }, nil
	case chaos.RedisKill:
		master := f.master()
		master.Kill()
		return func() error { master.Start(); return nil }, nil
	case chaos.RedisFreeze:
		master := f.master()
		master.Freeze()
		return func() error { master.Thaw(); return nil }, nil
	case chaos.TokenDown:
		return f.spoil(iqsim.Fault{Service: "accounts", Kind: iqsim.FaultStatus})
	default:
		return f.spoilServices(upstreamFault(s.Kind))
	}
}

func (f *fleet) master() *redistest.Server {
	if f.trio != nil {
		return f.trio.Master()
	}
	return f.redis.Servers()[0]
}

// upstreamFault is what the upstream does in a step.
func upstreamFault(kind chaos.Kind) iqsim.Fault {
	switch kind {
	case chaos.Unavailable:
		return iqsim.Fault{Kind: iqsim.FaultStatus, Status: http.StatusServiceUnavailable, At: iqsim.AtBefore, Probability: 0.7}
	case chaos.FailedAfter:
		return iqsim.Fault{Kind: iqsim.FaultStatus, Status: http.StatusInternalServerError, At: iqsim.AtAfter, Probability: 0.3}
	case chaos.CutAfter:
		return iqsim.Fault{Kind: iqsim.FaultReset, At: iqsim.AtAfter, Probability: 0.2}
	case chaos.CutBefore:
		return iqsim.Fault{Kind: iqsim.FaultReset, At: iqsim.AtBefore, Probability: 0.2}
	case chaos.SlowHeader: // longer than timeouts.response_header
		return iqsim.Fault{Kind: iqsim.FaultStall, At: iqsim.AtAfter, Delay: iqsim.Duration(6 * time.Second), Probability: 0.1}
	case chaos.Slow:
		return iqsim.Fault{Kind: iqsim.FaultLatency, At: iqsim.AtAfter, Delay: iqsim.Duration(300 * time.Millisecond), Probability: 0.5}
	case chaos.Truncated:
		return iqsim.Fault{Kind: iqsim.FaultTruncate, Bytes: 5, Probability: 0.2}
	case chaos.Garbage:
		return iqsim.Fault{Kind: iqsim.FaultRaw, At: iqsim.AtAfter, Body: "HTTP/1.1 what\r\n\r\n", Probability: 0.1}
	case chaos.Throttled:
		return iqsim.Fault{
			Kind: iqsim.FaultStatus, Status: http.StatusTooManyRequests, At: iqsim.AtBefore, Probability: 0.3,
			Fields: []iqsim.Field{{Name: "Retry-After", Value: "1"}},
		}
	default:
		panic("no fault of the upstream: " + string(kind))
	}
}

// spoilServices arms a fault for the services of the load.
func (f *fleet) spoilServices(fault iqsim.Fault) (undo, error) {
	var ends []undo
	for _, service := range services() {
		fault.Service = service
		end, err := f.spoil(fault)
		if err != nil {
			return nil, err
		}
		ends = append(ends, end)
	}
	return func() error {
		for _, end := range ends {
			_ = end()
		}
		return nil
	}, nil
}

func (f *fleet) spoil(fault iqsim.Fault) (undo, error) {
	id, err := f.AddFault(fault)
	return func() error { f.RemoveFaults(id); return nil }, err
}
