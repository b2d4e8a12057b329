package watchdog_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/watchdog"
)

func TestREL46Watchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{}, 1) // a lock that a bubble sees through
		free <- struct{}{}
		var asked atomic.Int64
		var told []string
		w := watchdog.New(map[string]func(){
			"quota": func() { free <- <-free },
			"cache": func() { asked.Add(1) },
			"token": func() { panic("asked at a bad moment") },
		}, func(part string) { told = append(told, part) }, nil)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.Run(ctx) })

		pass := func(looks int) {
			<-time.After(time.Duration(looks) * watchdog.Interval)
			synctest.Wait()
		}
		pass(20)
		if err := w.Err(); err != nil || asked.Load() < 19 {
			t.Errorf("all is well: %v, asked %d times", err, asked.Load())
		}
		<-free
		pass(watchdog.Patience)
		if err := w.Err(); err != nil {
			t.Errorf("it may still answer: %v", err)
		}
		pass(1)
		if err := w.Err(); err == nil || !strings.Contains(err.Error(), "quota") || strings.Contains(err.Error(), "cache") {
			t.Errorf("the quota is stuck: %v", err)
		}
		before := asked.Load()
		pass(5)
		if len(told) != 1 || told[0] != "quota" || asked.Load() != before+5 {
			t.Errorf("told of %q; others asked %d times more", told, asked.Load()-before)
		}
		free <- struct{}{}
		pass(2)
		if err := w.Err(); err != nil {
			t.Errorf("it goes on: %v", err)
		}
		stop()
		running.Wait()
	})
}
