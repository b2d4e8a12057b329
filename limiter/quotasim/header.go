package quotasim

import (
	"net/http"
	"strconv"
	"time"

	"iqgateway/limiter"
)

// observe writes the reply down as the upstream would and has the limiter read
// it, so that what is simulated includes the reading.
func (u *upstream) observe(r reply) limiter.Observation {
	if r.silent {
		return limiter.Observation{Status: r.status}
	}
	form := "01/02/2006 15:04:05"
	if u.ISO {
		form = "2006-01-02T15:04:05.0000000Z"
	}
	return limiter.Read(r.status, http.Header{
		"X-Ratelimit-Limit":        {strconv.FormatInt(r.limit, 10)},
		"X-Ratelimit-Remaining":    {strconv.FormatInt(r.remaining, 10)},
		"X-Ratelimit-Reset":        {origin().Add(r.reset).Format(form)},
		"X-Ratelimit-Resetseconds": {strconv.FormatInt(r.seconds, 10)},
		"Date":                     {origin().Add(r.date).Truncate(time.Second).Format(http.TimeFormat)},
	}, u.Window)
}
