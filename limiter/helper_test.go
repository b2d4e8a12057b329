package limiter

import (
	"net/http"
	"testing"
	"time"
)

// fields makes a header of "Name: value" lines, as the wire would.
func fields(t testing.TB, lines ...[2]string) http.Header {
	t.Helper()
	h := http.Header{}
	for _, l := range lines {
		h.Add(l[0], l[1])
	}
	return h
}

func utc(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return at
}

// The one answer that tables vary.
const (
	sampleDate  = "Tue, 30 Oct 2018 18:58:20 GMT"
	sampleReset = "10/30/2018 18:59:00"
)
