package traces_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
	"iqgateway/test/traces"
)

// TestShedIsTraced: who is refused for want of memory is told of, too.
func TestShedIsTraced(t *testing.T) {
	t.Parallel()
	const object = 20 << 20
	s := newSubject(t, settings{
		limits: "max_memory: 64MiB", extra: "cache: {memory: 24MiB}\n",
		services: "  productlibrary: {cache: {rules: [{path: /**, ttl: 1h}], max_object: 24MiB}}\n",
	})
	s.do(t, ask{target: customers}, http.StatusOK) // there is a token
	for _, f := range []iqsim.Fault{
		{Kind: iqsim.FaultStatus, Status: http.StatusOK, Body: strings.Repeat("x", object)},
		{Kind: iqsim.FaultStall, At: iqsim.AtBody, Bytes: object - 1000},
	} {
		f.Service = "productlibrary"
		s.arm(t, f)
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var crowd sync.WaitGroup
	for i := range 4 {
		crowd.Go(func() { s.try(ctx, ask{target: fmt.Sprintf("/productlibrary/v1/ping?%d", i)}) })
	}
	s.gauge(t, 1, "iqgw_bulkhead_shedding")
	id := s.do(t, ask{target: customers}, http.StatusServiceUnavailable).id()
	leave()
	crowd.Wait()
	s.RemoveFaults(0)
	trace := s.traceOf(t, id)
	of := slices.DeleteFunc(s.sink.Spans(), func(span traces.Span) bool { return span.Trace != trace })
	rig.Must(t, traces.Check(of, s.origin))
	golden(t, "shed", traces.Tree(of))
}
