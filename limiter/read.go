package limiter

import (
	"net/http"
	"time"
)

// The quota fields, in the spelling that http.Header keeps them in.
const (
	fieldLimit        = "X-Ratelimit-Limit"
	fieldRemaining    = "X-Ratelimit-Remaining"
	fieldReset        = "X-Ratelimit-Reset"
	fieldResetSeconds = "X-Ratelimit-Resetseconds"

	// Of the API management layers only the limit is taken: over which period
	// they count is not documented, so nothing else of them names a window.
	fieldIQLimit   = "Iq-Apim-Ratelimit-Limit"
	fieldCovaLimit = "Cova-Apim-Ratelimit-Limit"
)

const (
	// maxCount is the largest number that every store can count exactly: some
	// count in double precision.
	maxCount = 1<<53 - 1
	// maxSeconds bounds ResetSeconds and Retry-After, so that no arithmetic on
	// them overflows.
	maxSeconds = 366 * 24 * 60 * 60
	// longestWindow is what a ResetSeconds may tell, in seconds: nobody counts
	// requests over more than a day, and a stray year must close no bucket.
	longestWindow = 24 * 60 * 60
	// dateTolerance is how far Reset may be from Date + ResetSeconds. A name may
	// be written by a clock that is wrong, or in a local time zone; it must be of
	// about the same day.
	dateTolerance = 24 * time.Hour
)

// Read returns what an upstream's answer says about its quota. window is the
// length of the bucket's window as far as it is known, to recognize times that
// cannot be meant; 0 = not known yet.
//
// The X-RateLimit-* fields are one statement: if one of them cannot be meant,
// none is believed, because a stray window name is taken for a new window and a
// stray count for quota. If any of them is present, the limits of the API
// management layers are not looked at: they are of another counter. Where that
// one is the tighter, its 429s show it.
//
// A 429 for too many concurrent requests says so in its body, which is not read
// here.
func Read(status int, header http.Header, window time.Duration) Observation {
	o := Observation{Status: status}
	window = min(max(window, 0), maxSeconds*time.Second) // twice it must not overflow
	o.readDate(header["Date"])
	if q := readQuota(header); q.given() {
		o.takeQuota(q, window)
	} else {
		o.readLayerLimits(header)
	}
	o.readRetryAfter(header["Retry-After"], window)
	return o
}

// takeQuota fills in the X-RateLimit-* fields as far as they are believed.
func (o *Observation) takeQuota(q quota, window time.Duration) {
	bad := q.unreadable() | q.implausible(o.Status, o.Date, window)
	o.Anomalies |= bad
	named := q.reset.given || q.seconds.given
	if q.remaining.given != named || !q.limit.given {
		o.Anomalies |= AnomaliesOf(AnomalyIncomplete)
	}
	switch {
	case bad != 0 || !q.limit.given:
		o.Kind = Unusable
	case q.remaining.given && named:
		o.Kind = Windowed
		o.Limit, o.Remaining = q.limit.value, q.remaining.value
		o.Reset, o.ResetForm = q.reset.at, q.reset.form
		o.ResetSeconds, o.HasResetSeconds = q.seconds.value, q.seconds.given
	default:
		o.Kind, o.Limit = LimitOnly, q.limit.value
	}
}

// readLayerLimits takes the smallest limit of the API management layers.
func (o *Observation) readLayerLimits(header http.Header) {
	for _, name := range [...]string{fieldIQLimit, fieldCovaLimit} {
		limit := readCount(header[name])
		if !limit.given {
			continue
		}
		bad := limit.bad | zeroLimit(limit, o.Status)
		o.Anomalies |= bad
		switch {
		case bad != 0:
			o.Kind = max(o.Kind, Unusable)
		case o.Kind != LimitOnly || limit.value < o.Limit:
			o.Kind, o.Limit = LimitOnly, limit.value
		}
	}
}

func (o *Observation) readDate(values []string) {
	text, given, ok := only(values)
	if !given {
		return
	}
	at, err := http.ParseTime(text)
	if !ok || err != nil {
		o.Anomalies |= AnomaliesOf(AnomalyDateUnreadable)
		return
	}
	o.Date = at.UTC()
}
