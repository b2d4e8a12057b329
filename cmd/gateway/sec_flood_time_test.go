package main

import (
	"encoding/json"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"iqgateway/internal/exchange"
	"iqgateway/internal/iqsim"
)

// heapWatch is what a flood makes this process hold, its own client included.
type heapWatch struct {
	before, peak uint64
	looks        int
}

func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func watchHeap() *heapWatch {
	now := heapBytes()
	return &heapWatch{before: now, peak: now}
}

// look takes a sample now and then.
func (h *heapWatch) look() {
	if h.looks++; h.looks%64 == 0 {
		h.sample()
	}
}

// sample notes what is held. Garbage is not, where there is enough of it to matter.
func (h *heapWatch) sample() {
	now := heapBytes()
	if now > h.before+16<<20 {
		runtime.GC()
		now = heapBytes()
	}
	h.peak = max(h.peak, now)
}

// want fails the test if more is held than ten times what the flood has sent.
// What every connection costs, and garbage that waits to be collected, comes on
// top.
func (h *heapWatch) want(f *flood) {
	f.t.Helper()
	h.sample()
	grown, sent := int64(h.peak-h.before), f.sent.Load()
	f.t.Logf("%d KiB sent, %d KiB held at most", sent>>10, grown>>10)
	if grown > 10*sent+24<<20 {
		f.t.Errorf("%d bytes held for %d received", grown, sent)
	}
}

// begin sends the header of a request that goes on, unless it is a GET.
func (f *flood) begin(stream uint32, method, key string) error {
	return f.frames.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: f.block(method, key), EndHeaders: true, EndStream: method == http.MethodGet,
	})
}

// pour writes in small bursts, for as long as the server takes them, until over
// says so.
func (f *flood) pour(write func() error, over func() bool) (frames int) {
	f.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for !over() {
		for range 100 {
			if write() != nil {
				return frames
			}
			frames++
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			f.t.Fatal("it goes on after 30 s")
		}
	}
	return frames
}

// Frames that net/http takes for ever cost next to nothing, and do not count as
// life: a connection without requests ends after the idle timeout all the same.
func TestSEC56FramesAreNotLife(t *testing.T) {
	r := newRig(t, rigOptions{environ: []string{"IQGW_SERVER__LIMITS__IDLE_TIMEOUT=500ms"}})
	for name, write := range map[string]func(f *flood) error{
		"PING": func(f *flood) error { return f.frames.WritePing(false, [8]byte{}) },
		"SETTINGS": func(f *flood) error {
			return f.frames.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 16})
		},
		"PRIORITY": func(f *flood) error {
			return f.frames.WritePriority(1, http2.PriorityParam{StreamDep: 3, Weight: 7})
		},
		"WINDOW_UPDATE": func(f *flood) error { return f.frames.WriteWindowUpdate(0, 1) },
	} {
		t.Run(name, func(t *testing.T) { // alone: the heap is that of the process
			f := newFlood(t, r)
			held := watchHeap()
			over := false
			frames := f.pour(func() error { return write(f) }, func() bool {
				held.look()
				select {
				case err := <-f.ended:
					over = true
					t.Logf("ended: %v", err)
				default:
				}
				return over
			})
			if !over {
				f.wantEnd()
			}
			t.Logf("%d frames were taken", frames)
			held.want(f)
		})
	}
}

// Frames without data are no progress of a body: its idle timeout ends the
// stream, and what the upstream got is no request.
func TestSEC56EmptyDataIsNoProgress(t *testing.T) {
	r := newRig(t, rigOptions{
		extra:   "services: {crm: {cache: {mode: none}}}\n",
		environ: []string{"IQGW_SERVER__LIMITS__BODY_IDLE_TIMEOUT=300ms"},
	})
	timedOut := `"error":"` + string(exchange.RequestTimeout) + `"`
	for name, write := range map[string]func(f *flood) error{
		"empty":  func(f *flood) error { return f.frames.WriteData(1, false, nil) },
		"padded": func(f *flood) error { return f.frames.WriteDataPadded(1, false, nil, make([]byte, 16)) },
	} {
		t.Run(name, func(t *testing.T) {
			r.ClearLedger()
			before := len(r.accessLines(timedOut))
			f := newFlood(t, r)
			if err := f.begin(1, http.MethodPost, r.key); err != nil {
				t.Fatal(err)
			}
			if err := f.frames.WriteData(1, false, []byte("{")); err != nil {
				t.Fatal(err)
			}
			held := watchHeap()
			frames := f.pour(func() error { return write(f) }, func() bool {
				held.look()
				return len(r.accessLines(timedOut)) > before
			})
			t.Logf("%d frames were taken", frames)
			held.want(f)
			await(t, "the upstream is told", func() bool {
				calls := r.calls("crm")
				return len(calls) == 1 && calls[0].Done && !calls[0].Executed
			})
		})
	}
}

// A connection has at most 100 live streams. Those whose caller opens no window
// for the answer end with the write idle timeout, and hold nothing after that.
func TestSEC56StreamsWithoutAWindow(t *testing.T) {
	const opened, live = 250, 100
	r := newRig(t, rigOptions{
		extra:   "services: {crm: {cache: {mode: none}}}\n",
		environ: []string{"IQGW_SERVER__LIMITS__WRITE_IDLE_TIMEOUT=300ms"},
	})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	r.arm(t, iqsim.Fault{Kind: iqsim.FaultStall, Service: "crm", Delay: iqsim.Duration(2 * time.Second)})
	tokens := len(r.calls("accounts"))
	r.ClearLedger()
	f := newFlood(t, r, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	held := watchHeap()
	for i := range uint32(opened) {
		if err := f.begin(2*i+1, http.MethodGet, r.key); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "those beyond the limit are refused", func() bool {
		held.look()
		return f.refused.Load() >= opened-live
	})
	await(t, "the others are cut", func() bool { return f.reset.Load() == opened || len(f.ended) > 0 })
	await(t, "nothing is held", func() bool {
		return strings.Contains(r.get(t, "http://"+r.Admin+"/metrics").text, `iqgw_bulkhead_in_flight{environment="sim",service="crm"} 0`)
	})
	held.want(f)
	if calls := len(r.calls("crm")); calls > live || len(r.calls("accounts")) > tokens {
		t.Errorf("%d calls of the upstream, %d of the token endpoint", calls, len(r.calls("accounts")))
	}
	r.RemoveFaults(0)
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
}

// Thousands of cookies, one name and one value of each, are one field (RFC 9113
// section 8.2.3) or too much; none of them goes upstream.
func TestSEC56CookieCrumbs(t *testing.T) {
	r := newRig(t, rigOptions{extra: "services: {crm: {cache: {mode: none}}}\n"})
	f := newFlood(t, r)
	crumbs := make([]hpack.HeaderField, 3000)
	for i := range crumbs {
		crumbs[i] = hpack.HeaderField{Name: "cookie", Value: "a=b"}
	}
	held := watchHeap()
	block := f.headers(r.key, crumbs...)
	if len(block) > 16<<10 {
		t.Fatalf("%d bytes are no single frame", len(block))
	}
	for stream := uint32(1); stream < 201; stream += 2 {
		if err := f.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true, EndStream: true}); err != nil {
			break
		}
		held.look()
	}
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	held.want(f)
	for _, call := range r.calls("crm") {
		if len(call.Header["Cookie"]) > 0 {
			t.Errorf("cookies went upstream: %.100q", call.Header["Cookie"])
		}
	}
	if n := len(r.calls("crm")); n != 1 {
		t.Errorf("%d calls of the upstream; a header of 3000 lines makes none", n)
	}
}

// accessLines returns the access lines that hold all of the texts.
func (r *rig) accessLines(texts ...string) (found []map[string]any) {
lines:
	for line := range strings.Lines(r.logs.String()) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue lines
			}
		}
		var one map[string]any
		if json.Unmarshal([]byte(line), &one) == nil && one["msg"] == "request" {
			found = append(found, one)
		}
	}
	return found
}
