package cache_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
)

// script is a stack whose origin answers what a test says, and whose clock
// moves only when it is told to: ages and lifetimes are exact to the second.
type script struct {
	*stack
	mode   cache.Mode
	begin  time.Time
	ahead  atomic.Int64
	says   atomic.Pointer[says]
	bodies atomic.Int64
}

// says is an answer of the origin. Fields are "Name: value"; "{-60}" in them is
// the date of a minute ago. "Date: none" leaves the Date out.
type says struct {
	status int // 0 = 200
	fields []string
	body   string        // "" = "answer N"
	takes  time.Duration // passes between the request and the answer
}

func newScript(t *testing.T, mode cache.Mode, o stackOptions) *script {
	t.Helper()
	sc := &script{mode: mode, begin: time.Now().Truncate(time.Second)}
	sc.says.Store(&says{})
	o.service.Mode = mode
	own := o.options
	o.options = func(i int) cache.Options {
		options := cache.Options{Memory: 64 << 20}
		if own != nil {
			options = own(i)
		}
		options.Now = sc.now
		return options
	}
	if o.origin == nil {
		o.origin = sc.serve
	}
	sc.stack = newStack(t, o)
	return sc
}

func (sc *script) now() time.Time { return sc.begin.Add(time.Duration(sc.ahead.Load())) }

func (sc *script) pass(d time.Duration) { sc.ahead.Add(int64(d)) }

// serve answers as the test says, and confirms what has the same entity tag.
func (sc *script) serve(w http.ResponseWriter, r *http.Request) {
	a, h := sc.says.Load(), w.Header()
	h.Set("Date", sc.dates("{0}"))
	for _, field := range a.fields {
		name, value, _ := strings.Cut(field, ": ")
		switch {
		case field == "Date: none":
			h["Date"] = nil
		case name == "Date":
			h.Set(name, sc.dates(value))
		default:
			h.Add(name, sc.dates(value))
		}
	}
	sc.pass(a.takes)
	if tag := h.Get("Etag"); tag != "" && r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.WriteHeader(max(a.status, 200))
	if a.status == http.StatusNoContent {
		return
	}
	body := a.body
	if body == "" {
		body = fmt.Sprint("answer ", sc.bodies.Add(1))
	}
	_, _ = w.Write([]byte(body))
}

// dates replaces {seconds} by dates relative to now.
func (sc *script) dates(text string) string {
	return regexp.MustCompile(`\{[+-]?\d+\}`).ReplaceAllStringFunc(text, func(s string) string {
		seconds, err := strconv.Atoi(strings.Trim(s, "{}"))
		if err != nil {
			sc.t.Error(err)
		}
		return sc.now().Add(time.Duration(seconds) * time.Second).UTC().Format(http.TimeFormat)
	})
}

// step is one request and what comes of it.
type step struct {
	pass   time.Duration // before
	says   *says         // the origin's answer from now on; nil = as before
	do     string        // "" = "GET /v1/a"
	with   []string      // fields of the request
	status int           // 0 = 200
	body   string        // "*" = any
	cache  string        // how Cache-Status begins
	has    []string      // fields of the answer; "Name: " = it has none
	sent   []string      // fields that the origin was sent
	asked  int           // how often it was asked; 0 = once where cache begins with fwd; -1 = it does not matter
}

// run does the steps. Where nothing else is said, one request is one request to
// the origin, or none where it is answered from the store.
func (sc *script) run(t *testing.T, steps ...step) {
	t.Helper()
	for i, st := range steps {
		sc.pass(st.pass)
		if st.says != nil {
			sc.says.Store(st.says)
		}
		before := sc.asked.Load()
		method, path, ok := strings.Cut(st.do, " ")
		if !ok {
			method, path = http.MethodGet, "/v1/a"
		}
		a := sc.ask(method, path, sc.fields(st.with)...)
		asked := int64(st.asked)
		if asked == 0 && strings.HasPrefix(st.cache, "fwd") {
			asked = 1
		}
		if n := sc.asked.Load() - before; n != asked && asked >= 0 {
			t.Errorf("step %d: the origin was asked %d times, want %d (%s)", i, n, asked, a.cache)
		}
		if a.err != nil || a.status != max(st.status, 200) || st.body != "*" && a.body != st.body || !strings.HasPrefix(a.cache, st.cache) {
			t.Fatalf("step %d: got %d %.80q, %q, %v; want %d %.80q, %q",
				i, a.status, a.body, a.cache, a.err, max(st.status, 200), st.body, st.cache)
		}
		wantFields(t, fmt.Sprintf("step %d: the answer", i), a.header, sc, st.has)
		if len(st.sent) > 0 {
			wantFields(t, fmt.Sprintf("step %d: the request upstream", i), sc.last.Load().Header, sc, st.sent)
		}
	}
}

// fields are those of a caller. In ModeRFC9111 it asks for what needs no
// credential, unless it says otherwise.
func (sc *script) fields(with []string) []string {
	for _, f := range with {
		if strings.HasPrefix(f, "X-Policy: ") {
			return with
		}
	}
	if sc.mode == cache.ModeRFC9111 {
		return append([]string{"X-Policy: anonymous"}, with...)
	}
	return with
}

func wantFields(t *testing.T, what string, h http.Header, sc *script, fields []string) {
	t.Helper()
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		if got := strings.Join(h.Values(name), ", "); got != sc.dates(value) {
			t.Errorf("%s has %s: %q, want %q", what, name, got, sc.dates(value))
		}
	}
}

// bothModes runs a test in each mode.
func bothModes(t *testing.T, do func(*testing.T, cache.Mode)) {
	t.Helper()
	for mode, name := range map[cache.Mode]string{cache.ModePolicy: "policy", cache.ModeRFC9111: "rfc9111"} {
		t.Run(name, func(t *testing.T) { do(t, mode) })
	}
}

// again asks for the same twice, and says what the second one gets in each
// mode; "" = the row says nothing about that mode.
type again struct {
	name    string
	answer  []string      // fields of the origin's
	status  int           // of the origin's; 0 = 200
	first   []string      // fields of the first request
	after   time.Duration // between them
	second  []string      // fields of the second request
	policy  string        // how the second answer's Cache-Status begins
	rfc9111 string
	refused bool // the second one gets 504
}

// runAgain runs a table. The rule of ModePolicy keeps answers for a minute.
func runAgain(t *testing.T, service cache.Service, rows []again) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				want := map[cache.Mode]string{cache.ModePolicy: row.policy, cache.ModeRFC9111: row.rfc9111}[mode]
				if want == "" && !row.refused {
					return
				}
				sc := newScript(t, mode, stackOptions{service: service})
				second := step{pass: row.after, with: row.second, status: row.status, body: "*", cache: want}
				if row.refused {
					second.status = http.StatusGatewayTimeout
				}
				sc.run(t,
					step{
						says: &says{status: row.status, fields: row.answer},
						with: row.first, status: row.status, body: "*", cache: "fwd=uri-miss",
					},
					second,
				)
			})
		})
	}
}
