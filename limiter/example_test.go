package limiter_test

import (
	"fmt"
	"net/http"
	"time"

	"iqgateway/limiter"
)

func ExampleRead() {
	header := http.Header{}
	header.Set("X-RateLimit-Limit", "1000")
	header.Set("X-RateLimit-Remaining", "999")
	header.Set("X-RateLimit-Reset", "10/30/2018 18:59:00")
	header.Set("X-RateLimit-ResetSeconds", "41")

	o := limiter.Read(http.StatusOK, header, time.Minute)
	fmt.Println(o.Kind, o.Used(), "of", o.Limit, "in the window", o.Reset)

	sent := time.Date(2018, 10, 30, 18, 58, 18, 0, time.UTC)
	end, _ := o.Boundary(sent, sent.Add(time.Second))
	fmt.Println("ends between", end.After.Format(time.TimeOnly), "and", end.Before.Format(time.TimeOnly))
	// Output:
	// windowed 1 of 1000 in the window 2018-10-30 18:59:00 +0000 UTC
	// ends between 18:58:58 and 18:59:01
}
