package override

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// Bounds that everybody keeps.
const (
	// Most is how many overrides hold at once.
	Most = 64
	// Longest is how long one may hold: what lasts longer belongs into the
	// configuration.
	Longest = 7 * 24 * time.Hour
	// MaxText bounds each text of an override, in bytes.
	MaxText = 256
)

// ErrFull means that there are as many overrides as there may be.
var ErrFull = errors.New("there are 64 overrides already, which is the most: clear some first")

// Override is one setting that an operator lays over the configuration.
type Override struct {
	ID          string // random: a later one for the same key is another
	Key         string // key path of the setting
	Value       string // as it would be written in the configuration
	Reason      string
	By          string // where the order came from
	Replica     string // that took the order
	UntilReload bool   // it ends with the next change of the configuration, too
	Config      string // hash of the configuration that it was laid over; "" = unknown

	Age  time.Duration // since it was set, by the store's clock
	Left time.Duration // until it ends; positive
}

// Outlasts reports whether the override goes on when a replica changes to the
// configuration with this hash. The one that it was laid over is no change: the
// replicas of a fleet come to it one after the other.
func (o Override) Outlasts(config string) bool {
	return !o.UntilReload || o.Config != "" && o.Config == config
}

// Held is an override as a replica goes by it. Its instants are those of this
// process's clock, to be shown and compared with it alone.
type Held struct {
	Override

	Set, Until time.Time
}

// hold dates what a store has told, which was asked at now.
func hold(all []Override, now time.Time) []Held {
	held := make([]Held, 0, len(all))
	for _, o := range all {
		held = append(held, Held{o, now.Add(-o.Age), now.Add(min(o.Left, Longest))})
	}
	return held
}

// tell is the reverse of hold: what does not hold any more is left out.
func tell(all []Held, now time.Time) []Override {
	var told []Override
	for _, h := range all {
		if h.Age, h.Left = max(0, now.Sub(h.Set)), h.Until.Sub(now); h.Left > 0 {
			told = append(told, h.Override)
		}
	}
	return told
}

// unite returns, sorted by key, one override a key: of several the one that was
// set last. What has ended or is dropped is not among them.
func unite(now time.Time, dropped map[string]bool, lists ...[]Held) []Held {
	all := slices.DeleteFunc(slices.Concat(lists...), func(h Held) bool { return dropped[h.ID] || !now.Before(h.Until) })
	slices.SortStableFunc(all, func(a, b Held) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), b.Set.Compare(a.Set), cmp.Compare(a.ID, b.ID))
	})
	return slices.CompactFunc(all, func(a, b Held) bool { return a.Key == b.Key })
}

// ids are what tells two states apart.
func ids(all []Held) []string {
	names := make([]string, len(all))
	for i, h := range all {
		names[i] = h.ID
	}
	return names
}
