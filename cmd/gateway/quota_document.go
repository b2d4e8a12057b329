package main

import (
	"cmp"
	"slices"
	"time"

	"iqgateway/limiter"
)

// quotaDocument is a bucket as the admin API shows it. Amounts are tokens (for
// concurrency: requests at once), instants by this replica's clock.
type quotaDocument struct {
	Bucket      string `json:"bucket"`
	Environment string `json:"environment"`
	Service     string `json:"service"`
	Policy      string `json:"policy"`
	Of          string `json:"of,omitempty"`
	Kind        string `json:"kind"`
	Mode        string `json:"mode"`
	Enforced    bool   `json:"enforced"`
	// InUse is false while no request has needed the bucket.
	InUse bool `json:"in_use"`
	// LocalShare says that this replica spends without the store.
	LocalShare bool   `json:"local_share"`
	Error      string `json:"error,omitempty"` // why the fleet's part is missing

	Limit         int64      `json:"limit"` // 0 = not known yet
	Own           int64      `json:"own"`   // taken by this fleet, leases included
	External      int64      `json:"external"`
	Margin        int64      `json:"margin"`
	Remaining     int64      `json:"remaining"`
	UpstreamUsed  int64      `json:"upstream_used"` // the upstream's own count, as last seen
	WindowSeconds float64    `json:"window_seconds,omitempty"`
	Opens         *time.Time `json:"opens,omitempty"`
	Waiting       int64      `json:"waiting"`
	Replicas      int64      `json:"replicas"`

	Blocked *quotaBlocked `json:"blocked,omitempty"`
	Callers []quotaCaller `json:"callers,omitempty"`
	Windows []quotaWindow `json:"windows,omitempty"` // newest first; of one bucket only
}

// quotaBlocked is until when nothing is granted.
type quotaBlocked struct {
	Until time.Time `json:"until"`
	// Reason is an operator's, "" if the window is spent or the upstream has
	// asked to wait.
	Reason string `json:"reason,omitempty"`
}

// quotaCaller is what one caller has of a bucket.
type quotaCaller struct {
	Caller    string `json:"caller"`
	Used      int64  `json:"used"`
	Waiting   int64  `json:"waiting"`
	Guarantee int64  `json:"guarantee,omitempty"`
	Cap       int64  `json:"cap,omitempty"`
	Weight    int64  `json:"weight"`
	// Forecast is the requests of a window that are expected, by class.
	Forecast map[string]int64 `json:"forecast,omitempty"`
}

// quotaWindow is a window that is over. Missing is what was sent for certain
// and the upstream's count never showed.
type quotaWindow struct {
	Ended        time.Time   `json:"ended"`
	Limit        int64       `json:"limit"`
	Own          int64       `json:"own"`
	External     int64       `json:"external"`
	UpstreamUsed int64       `json:"upstream_used"` // 0 = it has shown none
	Missing      int64       `json:"missing"`
	Unspent      int64       `json:"unspent"`
	Refused      int64       `json:"upstream_429"`
	Proof        bool        `json:"ended_by_proof"`
	By           []quotaUsed `json:"by,omitempty"`
}

type quotaUsed struct {
	Caller string `json:"caller"`
	Used   int64  `json:"used"`
}

// describeQuota makes the document of a bucket; whole adds its past.
func describeQuota(s limiter.Status, now time.Time, whole bool) quotaDocument {
	a := s.Snapshot
	d := quotaDocument{
		Bucket: s.Name.String(), Environment: s.Name.Environment, Service: s.Name.Service, Policy: s.Name.Policy, Of: s.Name.Of,
		Kind: s.Settings.Kind.String(), Mode: string(a.Mode), Enforced: s.Settings.Enforce,
		InUse: a.Epoch != 0 || s.Err != nil && s.Used, LocalShare: s.Away,
		Limit: a.Limit, Own: a.Own, External: a.External, Margin: a.Margin, Remaining: a.Available, UpstreamUsed: a.Used,
		WindowSeconds: cmp.Or(float64(a.Span)/1000, s.Here.Window.Seconds()), Waiting: a.Waiting, Replicas: a.Replicas,
		Callers: quotaCallers(s),
	}
	if s.Err != nil { // what this replica knows by itself
		d.Error = s.Err.Error()
		d.Mode, d.Limit, d.Remaining, d.External = string(s.Here.Mode), s.Here.Limit, s.Here.Remaining, s.Here.External
		d.WindowSeconds, d.Opens = s.Here.Window.Seconds(), instantAfter(now, s.Here.Opens)
		if s.Here.Blocked {
			d.Blocked = &quotaBlocked{Until: now.Add(s.Here.Opens).UTC()}
		}
		return d
	}
	if s.Settings.Kind == limiter.Concurrency {
		d.WindowSeconds = 0
	} else {
		d.Opens = instantAfter(now, milliseconds64(a.Hi-a.Now))
	}
	if a.Blocked > a.Now {
		d.Blocked = &quotaBlocked{Until: now.Add(milliseconds64(a.Blocked - a.Now)).UTC(), Reason: a.Held}
	}
	if whole {
		d.Windows = quotaWindows(s, now)
	}
	return d
}

func milliseconds64(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func instantAfter(now time.Time, d time.Duration) *time.Time {
	if d <= 0 {
		return nil
	}
	at := now.Add(d).UTC()
	return &at
}

// quotaCallers are those that have used something, wait or have a share; most
// used first.
func quotaCallers(s limiter.Status) []quotaCaller {
	byName := map[string]quotaCaller{}
	for _, share := range s.Settings.Shares {
		c := quotaCaller{Caller: share.Caller, Weight: share.Weight, Cap: share.Cap.Of(s.Snapshot.Limit)}
		if !share.Guarantee.None() {
			c.Guarantee = max(1, share.Guarantee.Of(s.Snapshot.Limit))
		}
		byName[share.Caller] = c
	}
	for _, state := range s.Snapshot.Callers {
		if state.Caller == "" && state.Spent == 0 && state.Waiting == 0 { // nobody's
			continue
		}
		c := byName[state.Caller]
		c.Caller, c.Used, c.Waiting, c.Weight = state.Caller, state.Spent, state.Waiting, max(1, c.Weight)
		for class, n := range state.Rate {
			if n > 0 {
				if c.Forecast == nil {
					c.Forecast = map[string]int64{}
				}
				c.Forecast[limiter.Class(class).String()] = n
			}
		}
		byName[state.Caller] = c
	}
	list := make([]quotaCaller, 0, len(byName))
	for _, c := range byName {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b quotaCaller) int {
		return cmp.Or(cmp.Compare(b.Used, a.Used), cmp.Compare(a.Caller, b.Caller))
	})
	return list
}

func quotaWindows(s limiter.Status, now time.Time) []quotaWindow {
	missing := map[int64]int64{}
	for _, e := range s.Evidence {
		missing[e.Ended.UnixMilli()] = e.Missing
	}
	list := make([]quotaWindow, len(s.Snapshot.History))
	for i, c := range s.Snapshot.History {
		list[i] = quotaWindow{
			Ended: now.Add(milliseconds64(c.Ended - s.Snapshot.Now)).UTC().Truncate(time.Millisecond),
			Limit: c.Limit, Own: c.Own, External: c.External, UpstreamUsed: c.Used, Missing: missing[c.Ended],
			Unspent: c.Wasted, Refused: c.Refused, Proof: c.Proof,
		}
		for _, u := range c.By {
			list[i].By = append(list[i].By, quotaUsed{u.Caller, u.Spent})
		}
	}
	return list
}
