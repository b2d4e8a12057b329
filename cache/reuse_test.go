package cache

import (
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// aged is an object that is fresh for a minute, and as old as is said.
func aged(age time.Duration, change ...func(*Object)) *Object {
	o := &Object{Received: sunday().Add(-age), terms: terms{Lifetime: time.Minute, AllowStale: true}}
	for _, f := range change {
		f(o)
	}
	return o
}

func whileRevalidate(o *Object) { o.WhileRevalidate = 30 * time.Second }
func ifError(o *Object)         { o.IfError = time.Hour }
func noStale(o *Object)         { o.AllowStale = false }
func revalidate(o *Object)      { o.Revalidate, o.AllowStale = true, false }
func immutable(o *Object)       { o.Immutable = true }

// asks are the wants of a Cache-Control, all of them heard.
func asks(control string) want {
	return requestWants(&Service{Mode: ModeRFC9111}, nil, headerOf("Cache-Control", control))
}

type reuseTest struct {
	name    string
	o       *Object
	w       want
	verdict verdict
	reason  string
}

func runReuse(t *testing.T, tests []reuseTest) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if v, reason := reuse(test.o, test.w, sunday()); v != test.verdict || reason != test.reason {
				t.Errorf("verdict %d, %q; want %d, %q", v, reason, test.verdict, test.reason)
			}
		})
	}
}

func TestRFC9111_4_2_Freshness(t *testing.T) {
	runReuse(t, []reuseTest{
		{"nothing stored", nil, want{}, verdictMiss, reasonMiss},
		{"new", aged(0), want{}, verdictFresh, reasonNone},
		{"a moment before its time", aged(time.Minute - 1), want{}, verdictFresh, reasonNone},
		{"its lifetime is over when its age has reached it", aged(time.Minute), want{}, verdictRevalidate, reasonStale},
		{"4.2.3: the age that it came with counts", aged(30*time.Second, func(o *Object) { o.Age = 30 * time.Second }), want{}, verdictRevalidate, reasonStale},
		{"no lifetime", aged(0, func(o *Object) { o.Lifetime = 0 }), want{}, verdictRevalidate, reasonStale},
		{"5.2.2.4: no-cache", aged(0, revalidate), want{}, verdictRevalidate, reasonStale},
		{"a clock that went back", aged(-time.Hour), want{}, verdictFresh, reasonNone},
		{"an object without times", &Object{terms: terms{Lifetime: time.Minute}}, want{}, verdictRevalidate, reasonStale},
	})
}

func TestRFC9111_5_2_1_Reuse(t *testing.T) {
	const half = 30 * time.Second
	runReuse(t, []reuseTest{
		{"5.2.1.1: max-age reached", aged(half), asks("max-age=30"), verdictFresh, reasonNone},
		{"5.2.1.1: max-age exceeded", aged(half + 1), asks("max-age=30"), verdictRevalidate, reasonRequest},
		{"5.2.1.1: max-age=0", aged(0), asks("max-age=0"), verdictRevalidate, reasonRequest},
		{"5.2.1.1: max-age that is no number", aged(0), asks("max-age=x"), verdictRevalidate, reasonRequest},
		{"5.2.1.1: max-age alone excludes stale answers", aged(time.Minute, whileRevalidate), asks("max-age=90"), verdictRevalidate, reasonStale},
		{"5.2.1.1: with max-stale it does not", aged(time.Minute), asks("max-age=90, max-stale=30"), verdictStale, reasonMaxStale},
		{"5.2.1.1: but still bounds the age", aged(91 * time.Second), asks("max-age=90, max-stale=60"), verdictRevalidate, reasonStale},
		{"5.2.1.2: max-stale", aged(time.Minute + 10*time.Second), asks("max-stale=10"), verdictStale, reasonMaxStale},
		{"5.2.1.2: max-stale exceeded", aged(time.Minute + 10*time.Second + 1), asks("max-stale=10"), verdictRevalidate, reasonStale},
		{"5.2.1.2: any", aged(1000 * time.Hour), asks("max-stale"), verdictStale, reasonMaxStale},
		{"5.2.1.2: that is no number", aged(time.Minute + 1), asks("max-stale=x"), verdictRevalidate, reasonStale},
		{"4.2.4: where stale is forbidden", aged(time.Minute, noStale), asks("max-stale"), verdictRevalidate, reasonStale},
		{"4.2.4: max-stale and no-cache of the upstream", aged(0, revalidate), asks("max-stale"), verdictRevalidate, reasonStale},
		{"5.2.1.3: min-fresh", aged(half), asks("min-fresh=30"), verdictFresh, reasonNone},
		{"5.2.1.3: min-fresh missed", aged(half + 1), asks("min-fresh=30"), verdictRevalidate, reasonRequest},
		{"5.2.1.3: min-fresh of a stale answer", aged(time.Minute, whileRevalidate), asks("min-fresh=0"), verdictRevalidate, reasonStale},
		{"5.2.1.3: min-fresh and max-stale", aged(time.Minute), asks("min-fresh=1, max-stale"), verdictRevalidate, reasonStale},
		{"5.2.1.4: no-cache", aged(0), asks("no-cache"), verdictRevalidate, reasonRequest},
		{"5.2.1.4: no-cache and max-stale", aged(time.Minute), asks("no-cache, max-stale"), verdictRevalidate, reasonStale},
		{"5.2.1.5: no-store does not keep from what is stored", aged(0), asks("no-store"), verdictFresh, reasonNone},
		{"5.2.1.7: only-if-cached, fresh", aged(0), asks("only-if-cached"), verdictFresh, reasonNone},
		{"5.2.1.7: only-if-cached, nothing there", nil, asks("only-if-cached"), verdictUnavailable, reasonMiss},
		{"5.2.1.7: only-if-cached, stale", aged(time.Minute), asks("only-if-cached"), verdictUnavailable, reasonStale},
		{"5.2.1.7: only-if-cached, as stale as it takes", aged(time.Minute), asks("only-if-cached, max-stale"), verdictStale, reasonMaxStale},
		{"5.2.1.7: only-if-cached, too old", aged(half), asks("only-if-cached, max-age=1"), verdictUnavailable, reasonRequest},
	})
}

func TestRFC5861_3_WhileRevalidate(t *testing.T) {
	runReuse(t, []reuseTest{
		{"still fresh", aged(time.Minute-1, whileRevalidate), want{}, verdictFresh, reasonNone},
		{"just stale", aged(time.Minute, whileRevalidate), want{}, verdictStaleWhileRevalidate, reasonWhileRevalidate},
		{"the last moment", aged(90*time.Second-1, whileRevalidate), want{}, verdictStaleWhileRevalidate, reasonWhileRevalidate},
		{"over", aged(90*time.Second, whileRevalidate), want{}, verdictRevalidate, reasonStale},
		{"over, but taken", aged(90*time.Second, whileRevalidate), asks("max-stale=30"), verdictStale, reasonMaxStale},
		{"refreshed also where it would be taken", aged(time.Minute, whileRevalidate), asks("max-stale"), verdictStaleWhileRevalidate, reasonWhileRevalidate},
		{"staler than taken", aged(80*time.Second, whileRevalidate), asks("max-stale=10"), verdictRevalidate, reasonStale},
		{"no-cache", aged(time.Minute, whileRevalidate), asks("no-cache"), verdictRevalidate, reasonStale},
		{"only-if-cached", aged(time.Minute, whileRevalidate), asks("only-if-cached"), verdictStaleWhileRevalidate, reasonWhileRevalidate},
	})
}

func TestRFC8246_2_1_Immutable(t *testing.T) {
	runReuse(t, []reuseTest{
		{"reloaded", aged(30*time.Second, immutable), asks("max-age=0"), verdictFresh, reasonNone},
		{"no-cache is a signal that validation is needed", aged(0, immutable), asks("no-cache"), verdictRevalidate, reasonRequest},
		{"min-fresh", aged(30*time.Second, immutable), asks("max-age=0, min-fresh=31"), verdictRevalidate, reasonRequest},
		{"once stale it is like others", aged(time.Minute, immutable), asks("max-age=0"), verdictRevalidate, reasonStale},
	})
}

// A caller that asks for more makes the upstream be asked once a second.
func TestPolicyOncePerSecond(t *testing.T) {
	limited := func(control string) want {
		return requestWants(&Service{Mode: ModePolicy}, &Rule{}, headerOf("Cache-Control", control))
	}
	for _, control := range []string{"no-cache", "max-age=0", "min-fresh=99999"} {
		runReuse(t, []reuseTest{
			{control + " at once", aged(0), limited(control), verdictFresh, reasonNone},
			{control + " within the second", aged(time.Second - 1), limited(control), verdictFresh, reasonNone},
			{control + " after a second", aged(time.Second), limited(control), verdictRevalidate, reasonRequest},
			{control + ", stale", aged(0, func(o *Object) { o.Lifetime = 0 }), limited(control), verdictRevalidate, reasonStale},
			{
				control + " on what was old when it came", aged(0, func(o *Object) { o.Age, o.Lifetime = time.Hour, 2*time.Hour }),
				limited(control), verdictFresh, reasonNone,
			},
		})
	}
	ignoring := requestWants(&Service{Mode: ModePolicy}, &Rule{NoCache: NoCacheIgnore}, headerOf("Cache-Control", "no-cache"))
	runReuse(t, []reuseTest{
		{"ignored, fresh", aged(30 * time.Second), ignoring, verdictFresh, reasonNone},
		{"ignored, stale", aged(time.Minute, whileRevalidate), ignoring, verdictStaleWhileRevalidate, reasonWhileRevalidate},
	})
}

func TestRFC5861_4_IfError(t *testing.T) {
	limited := requestWants(&Service{Mode: ModePolicy}, &Rule{}, headerOf("Cache-Control", "no-cache"))
	tests := []struct {
		name string
		o    *Object
		w    want
		want bool
	}{
		{"nothing stored", nil, want{}, false},
		{"not allowed", aged(time.Minute), want{}, false},
		{"allowed", aged(time.Minute, ifError), want{}, true},
		{"the last moment", aged(time.Hour+time.Minute-1, ifError), want{}, true},
		{"over", aged(time.Hour+time.Minute, ifError), want{}, false},
		{"still fresh", aged(0), want{}, true},
		{"never without asking", aged(0, ifError, revalidate), want{}, false},
		{"the caller allows it", aged(time.Minute), asks("stale-if-error=10"), true},
		{"for so long", aged(70 * time.Second), asks("stale-if-error=10"), false},
		{"unless it is forbidden", aged(time.Minute, noStale), asks("stale-if-error=10"), false},
		{"the caller takes it stale", aged(time.Hour), asks("max-stale"), true},
		{"unless stale is forbidden", aged(time.Hour, noStale), asks("max-stale"), false},
		{"the caller takes it less stale", aged(90*time.Second, ifError), asks("max-stale=10"), false},
		{"the caller insists", aged(time.Minute, ifError), asks("no-cache"), false},
		{"the caller insists on a fresh one", aged(0, ifError), asks("no-cache"), false},
		{"the caller is not heard so often", aged(30*time.Second, ifError), limited, true},
		{"but gets nothing stale unasked", aged(time.Minute, ifError), limited, false},
		{"as old as is taken", aged(time.Minute, ifError), asks("max-age=90"), true},
		{"older than is taken", aged(91*time.Second, ifError), asks("max-age=90"), false},
		{"reloaded", aged(time.Minute, ifError), asks("max-age=0"), false},
		{"to be fresh for long", aged(time.Minute, ifError), asks("min-fresh=5"), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := mayServeOnError(test.o, test.w, sunday()); got != test.want {
				t.Errorf("%t, want %t", got, test.want)
			}
		})
	}
}

// drawObject and drawWant cover what terms and requestWants can give.
func drawObject(t *rapid.T) *Object {
	span := func(name string) time.Duration {
		return time.Duration(rapid.IntRange(0, 20).Draw(t, name)) * 500 * time.Millisecond
	}
	o := &Object{Received: sunday().Add(-span("resident")), Age: span("age"), terms: terms{Lifetime: span("lifetime")}}
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		o.Revalidate = true
	case 1:
		o.Immutable = true
	default:
		o.AllowStale, o.WhileRevalidate, o.IfError = true, span("while"), span("error")
	}
	return o
}

func drawWant(t *rapid.T) want {
	control := rapid.StringMatching(
		`(no-cache)?(, max-age=[0-9])?(, min-fresh=[0-9])?(, max-stale(=[0-9])?)?(, stale-if-error=[0-9])?(, only-if-cached)?`,
	).Draw(t, "control")
	service := &Service{Mode: rapid.SampledFrom([]Mode{ModePolicy, ModeRFC9111}).Draw(t, "mode")}
	rule := &Rule{NoCache: rapid.SampledFrom([]NoCache{NoCacheLimit, NoCacheObey, NoCacheIgnore}).Draw(t, "noCache")}
	return requestWants(service, rule, headerOf("Cache-Control", control))
}

func TestReuseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, w, now := drawObject(t), drawWant(t), sunday()
		v, reason := reuse(o, w, now)
		staleness := currentAge(o, now) - o.Lifetime
		switch {
		case v == verdictMiss:
			t.Error("what is stored is a miss")
		case v == verdictFresh && staleness >= 0:
			t.Error("fresh after its lifetime")
		case v == verdictFresh != (reason == reasonNone):
			t.Errorf("verdict %d because of %q", v, reason)
		case o.Revalidate && v != verdictRevalidate && v != verdictUnavailable:
			t.Error("used without asking")
		case !o.AllowStale && (v == verdictStale || v == verdictStaleWhileRevalidate):
			t.Error("used stale where that is forbidden")
		case w.OnlyIfCached && v == verdictRevalidate:
			t.Error("only-if-cached asks the upstream")
		case !w.OnlyIfCached && v == verdictUnavailable:
			t.Error("504 for a caller that would wait")
		}
		used := v == verdictFresh || v == verdictStale || v == verdictStaleWhileRevalidate
		if mayServeOnError(o, w, now) && (o.Revalidate || staleness >= 0 && !o.AllowStale) {
			t.Error("used on error where that is forbidden")
		}
		// Who asks for nothing is served at least as often as who does, but for
		// max-stale.
		if base, _ := reuse(o, want{}, now); used && !w.MaxStale.Set && base != v {
			t.Errorf("verdict %d, but %d for a caller that asks for nothing", v, base)
		}
		// What the caller gets without an error, it gets with one.
		if used && v != verdictStaleWhileRevalidate && !mayServeOnError(o, w, now) {
			t.Errorf("verdict %d, but not on error", v)
		}
	})
}

// A hit costs no garbage, whatever the caller asks for.
func TestReuseAllocatesNothing(t *testing.T) {
	o, now, service, rule := aged(5*time.Second), sunday(), &Service{Mode: ModePolicy}, &Rule{}
	for _, h := range []http.Header{{}, headerOf("Cache-Control", "no-cache"), headerOf("Pragma", "no-cache", "Cache-Control", "max-age=0, min-fresh=5")} {
		var v verdict
		if n := testing.AllocsPerRun(100, func() { v, _ = reuse(o, requestWants(service, rule, h), now) }); n > 0 || v == verdictMiss {
			t.Errorf("%v: %v allocations, verdict %d", h, n, v)
		}
	}
}

func BenchmarkReuse(b *testing.B) {
	o, now, service, rule := aged(5*time.Second), sunday(), &Service{Mode: ModePolicy}, &Rule{}
	for name, h := range map[string]http.Header{"plain": {}, "no-cache": headerOf("Cache-Control", "no-cache")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				reuse(o, requestWants(service, rule, h), now)
			}
		})
	}
}
