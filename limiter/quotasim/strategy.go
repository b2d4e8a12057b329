package quotasim

// Strategy is a way to stay within a quota.
type Strategy struct {
	Name  string
	start func(*world) fleet
	// promises says that the invariants are checked.
	promises bool
}

// Baselines are usual strategies. Each is given what none of them has in
// practice: one state for the whole fleet, without a trip. But for the naive
// ones they also know when a window certainly is over.
func Baselines() []Strategy {
	return []Strategy{
		baselineOf("last header wins", rule{}),
		baselineOf("last header, decrement", rule{decrement: true}),
		baselineOf("remaining - in flight", rule{inFlight: true}),
		baselineOf("monotone minimum", rule{decrement: true, minimum: true}),
		baselineOf("naive roll, decrement", rule{decrement: true, naive: true}),
		baselineOf("naive roll, minimum", rule{decrement: true, minimum: true, naive: true}),
	}
}

func baselineOf(name string, r rule) Strategy {
	return Strategy{Name: name, start: func(w *world) fleet { return newBaseline(w, r) }}
}
