package limiter

import (
	"net/http"
	"testing"
	"time"
)

func BenchmarkRead(b *testing.B) {
	quota := fields(b, [2]string{"X-RateLimit-Limit", "1000"}, [2]string{"X-RateLimit-Remaining", "999"},
		[2]string{"X-RateLimit-ResetSeconds", "41"}, [2]string{"Date", sampleDate})
	us, iso := quota.Clone(), quota.Clone()
	us.Set("X-RateLimit-Reset", sampleReset)
	iso.Set("X-RateLimit-Reset", "2018-10-30T18:59:00.0000000Z")
	for _, c := range []struct {
		name   string
		header http.Header
		want   Kind
	}{
		{"captured", us, Windowed},
		{"documented", iso, Windowed},
		{"layer", fields(b, [2]string{"IQ-APIM-RateLimit-Limit", "1500"}), LimitOnly},
		{"silent", http.Header{}, Silent},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if o := Read(200, c.header, time.Minute); o.Kind != c.want || o.Anomalies != 0 {
					b.Fatalf("%+v", o)
				}
			}
		})
	}
}

// TestReadAllocates nothing: it runs once per answer.
func TestReadAllocates(t *testing.T) {
	for _, c := range readCaptures(t) {
		h := c.header()
		if n := testing.AllocsPerRun(100, func() { Read(c.Status, h, time.Minute) }); n != 0 {
			t.Errorf("%s: %v allocations", c.Request, n)
		}
	}
}
