// Package usage counts by day what callers have used: requests, upstream attempts,
// quota tokens and bytes, for bills and capacity plans.
//
// Counts are sums that only grow. A [Book] keeps those of this process and tells
// them to a [Store] in batches, each of which counts once however often it is told.
package usage

import (
	"context"
	"time"
)

// Rest stands for all that finds no room in a day. No name of a configuration has
// parentheses.
const Rest = "(rest)"

// MaxKeys bounds the names that are told apart in one day.
const MaxKeys = 2000

// KeepDays is how many days of counts are kept.
const KeepDays = 400

// Day is a day (UTC), counted since 1970.
type Day int32

// DayOf returns the day of an instant.
func DayOf(t time.Time) Day { return Day(t.Unix() / int64(24*time.Hour/time.Second)) }

// String is the day as 2006-01-02.
func (d Day) String() string { return d.begin().Format(time.DateOnly) }

func (d Day) begin() time.Time { return time.Unix(0, 0).UTC().AddDate(0, 0, int(d)) }

// ParseDay reads 2006-01-02.
func ParseDay(text string) (Day, error) {
	t, err := time.Parse(time.DateOnly, text)
	return DayOf(t), err
}

// Names are what counts are told apart by. An empty one was not known yet: of a
// request whose caller is not known, or that was not routed.
type Names struct {
	Environment string `json:"environment,omitempty"`
	Service     string `json:"service,omitempty"`
	Caller      string `json:"caller,omitempty"`
	Credential  string `json:"credential,omitempty"`
}

func restOfDay() Names { return Names{Rest, Rest, Rest, Rest} }

// Counts are what was used.
type Counts struct {
	Requests int64 `json:"requests"`
	Attempts int64 `json:"attempts"` // sent upstream, those in the background too
	Tokens   int64 `json:"tokens"`   // of upstream quotas
	Hits     int64 `json:"hits"`     // answered by the cache alone
	Refusals int64 `json:"refusals"` // answered by the gateway with a problem
	BytesOut int64 `json:"bytes_out"`
}

// Plus returns the sum.
func (c Counts) Plus(more Counts) Counts {
	return Counts{
		c.Requests + more.Requests, c.Attempts + more.Attempts, c.Tokens + more.Tokens,
		c.Hits + more.Hits, c.Refusals + more.Refusals, c.BytesOut + more.BytesOut,
	}
}

// Batch is what one writer has counted since its last batch.
type Batch struct {
	Writer string // a process
	Seq    int64  // grows with each batch of a writer
	Day    Day
	Counts map[Names]Counts
}

// Days are counts by day.
type Days map[Day]map[Names]Counts

// Store keeps counts. It must be safe for concurrent use.
type Store interface {
	// Add adds a batch. After an error it is not known whether it counts already: the
	// same batch is told again, unchanged, and counts once.
	Add(ctx context.Context, b Batch) error
	// Read returns the counts of days from first to last. Names that are stored so
	// that they cannot be read are found among known.
	Read(ctx context.Context, first, last Day, known []string) (Days, error)
}
