package quotasim

import (
	"time"

	"iqgateway/limiter"
)

// Scenario is everything that a run depends on. The zero value of a part is its
// calm form: no fault, no outside consumer.
type Scenario struct {
	Seed    uint64
	Windows int // the run lasts so many windows of the upstream

	Upstream Upstream
	Network  Network
	Store    StorePlan
	Fleet    Fleet
	Demand   []Demand
	External External
	Settings limiter.Settings
}

// Length returns how long the run lasts.
func (s Scenario) Length() time.Duration {
	return time.Duration(s.Windows) * s.Upstream.Window
}

// Rounding is how the upstream makes an integer of the seconds to the reset.
type Rounding uint8

// The roundings.
const (
	Floor Rounding = iota
	Nearest
	Ceil
)

// Upstream is the service whose quota is shared.
type Upstream struct {
	Limit  int64
	Window time.Duration
	// Anchored says that a window begins with the first request after the last
	// one; else windows are aligned with the upstream's clock, shifted by Phase.
	Anchored bool
	Phase    time.Duration
	Rounding Rounding
	// Jitter is by how much Reset may be off in either direction.
	Jitter time.Duration
	ISO    bool // Reset with fractions of a second, else in full seconds
	Clock  clock
	// Count429 has refused requests counted too.
	Count429 bool
	Free     float64 // part of the requests that are not counted, as some 304s
	Silent   float64 // part of the answers without quota fields
	Hidden   float64 // part of the requests that get a 429 though tokens are left
	// ChangeAt is when the limit becomes ChangeTo; 0 = never.
	ChangeAt time.Duration
	ChangeTo int64
}

// Network is the way to the upstream and back.
type Network struct {
	RTT      time.Duration // the median, the upstream's own time included
	Sigma    float64       // of the log-normal distribution
	Tail     float64       // part of the requests that take TailMin to TailMax longer
	TailMin  time.Duration
	TailMax  time.Duration
	Unsent   float64       // part that fails before a byte is written
	Lost     float64       // part whose answer is lost; half of them never arrive
	Patience time.Duration // a replica gives up on an answer after this; 0 = never
}

// StorePlan is the way to the store, and what becomes of it.
type StorePlan struct {
	RTT       time.Duration
	Slow      float64       // part of the trips that take 10 to 200 ms longer
	Timeout   time.Duration // of a trip, as the replica sees it
	LostAsk   float64       // part of the asks that do not arrive
	LostReply float64       // part whose answer is lost after the ask was applied
	Repeat    float64       // part that the network delivers once more, later
	Clock     clock
	Events    []StoreEvent // by time
}

// StoreEvent is something that befalls the store.
type StoreEvent struct {
	Kind StoreEventKind
	At   time.Duration
	For  time.Duration // of Outage and Partition
	// Lost is how much of the last writes a Failover loses, Jump by how much the
	// new clock differs.
	Lost    time.Duration
	Jump    time.Duration
	Replica int // of Partition
}

// StoreEventKind is what befalls the store.
type StoreEventKind uint8

// The kinds of store events.
const (
	Outage    StoreEventKind = iota // no replica reaches it; it keeps its state
	Partition                       // one replica does not reach it
	Wipe                            // it restarts empty
	Failover                        // an older copy takes over, with another clock
)

// Fleet is the replicas.
type Fleet struct {
	Replicas int
	Weights  []float64 // which part of the requests each gets; none = equal parts
	Clocks   []clock
	Events   []FleetEvent // by time
}

// FleetEvent is something that befalls a replica.
type FleetEvent struct {
	Kind    FleetEventKind
	At      time.Duration
	Replica int
	For     time.Duration // until it is back; of Crash 0 = never
}

// FleetEventKind is what befalls a replica.
type FleetEventKind uint8

// The kinds of fleet events.
const (
	Crash FleetEventKind = iota // it is gone with all that it knew, and starts anew
	Pause                       // nothing happens, then all at once
	Join                        // one more
	Leave                       // it gives everything back and ends
)

// Demand is the requests of one caller in one class: a Poisson process.
type Demand struct {
	Caller string
	Class  limiter.Class
	Rate   float64   // requests per second, over the whole fleet
	Swing  []float64 // factors of Rate in the successive windows, repeated; none = 1
	Burst  int       // this many more at the beginning of each window
	Leave  float64   // part of the requests whose callers leave while they wait
}

// External is whoever else uses the quota.
type External struct {
	Rate  float64 // requests per second, Poisson
	Burst int     // this many at once, at a random instant of each window
	Stop  time.Duration
}

// any reports whether there is anyone.
func (e External) any() bool { return e.Rate > 0 || e.Burst > 0 }
