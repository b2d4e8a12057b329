package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"iqgateway/limiter"
)

// top goes on until it is told to end, which is no failure.
func TestQuotaTopRefreshes(t *testing.T) {
	rig := &quotaRig{statuses: []limiter.Status{crmStatus()}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, errs lockedBuffer
	p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, environ: rig.start(t)}
	ended := make(chan int, 1)
	go func() { ended <- p.run(ctx, []string{"quota", "top", "--interval", "200ms"}) }()
	await(t, "three looks", func() bool { return strings.Count(out.String(), "1 buckets in use") >= 3 })
	stop()
	select {
	case code := <-ended:
		if code != exitOK || errs.String() != "" {
			t.Errorf("exit %d: %s", code, errs.String())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("top does not end")
	}
	if strings.Contains(out.String(), cursorHome) {
		t.Error("a pipe gets control characters")
	}
}

// A gateway that is not there ends top at once.
func TestQuotaTopWithoutAGateway(t *testing.T) {
	code, _, errs := command(t, []string{envAdminAddress + "=127.0.0.1:1"}, "quota", "top")
	if code != exitFailure || !strings.Contains(errs, "no gateway answers") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
