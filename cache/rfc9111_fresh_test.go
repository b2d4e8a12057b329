package cache_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"iqgateway/cache"
)

// TestRFC9111_4_2_1_LifetimesOverTheWire: which of several words counts
// . In policy mode none does.
func TestRFC9111_4_2_1_LifetimesOverTheWire(t *testing.T) {
	const fresh, stale = "hit", "fwd=stale"
	var rows []again
	for _, row := range []struct {
		name   string
		answer []string
		until  int // seconds that it is fresh for, in ModeRFC9111
	}{
		{"s-maxage over max-age", []string{"Cache-Control: max-age=60, s-maxage=20"}, 20},
		{"max-age over Expires", []string{"Cache-Control: max-age=30", "Expires: {10}"}, 30},
		{"Expires and Date", []string{"Expires: {45}"}, 45},
		{"Expires and a Date that is wrong", []string{"Expires: {45}", "Date: {10}"}, 35},
		{"Expires without Date", []string{"Expires: {45}", "Date: none"}, 45},
		{"quoted", []string{`Cache-Control: max-age="30"`}, 30},
		{"in any case", []string{"cache-control: MAX-AGE=30"}, 30},
		{"Age", []string{"Cache-Control: max-age=60", "Age: 50"}, 10},
		{"the first Age", []string{"Cache-Control: max-age=60", "Age: 50, 20"}, 10},
		{"an Age that is none", []string{"Cache-Control: max-age=30", "Age: -50"}, 30},
		{"the Date says more than Age", []string{"Cache-Control: max-age=60", "Date: {-40}", "Age: 10"}, 20},
		{"a clock that is ahead", []string{"Cache-Control: max-age=30", "Date: {500}"}, 30},
		{"beyond all numbers", []string{"Cache-Control: max-age=99999999999999999999"}, 1 << 20},
	} {
		row.answer = append(row.answer, `Etag: "1"`)
		at := func(seconds int, want string) {
			rows = append(rows, again{
				name: fmt.Sprintf("%s after %d s", row.name, seconds), answer: row.answer,
				after: time.Duration(seconds) * time.Second, rfc9111: want,
			})
		}
		at(row.until-1, fresh)
		if row.until < 1<<20 {
			at(row.until, stale)
		}
	}
	for _, answer := range []string{
		"Expires: 0", "Expires: {-1}", "Expires: tomorrow", "Cache-Control: max-age=0", "Cache-Control: max-age=-1",
		"Cache-Control: max-age=1.5", "Cache-Control: s-maxage=0, max-age=60", "Cache-Control: max-age=60; Age: 60",
	} {
		fields := append(strings.Split(answer, "; "), `Etag: "1"`)
		rows = append(rows, again{name: answer, answer: fields, policy: fresh, rfc9111: stale})
	}
	runAgain(t, cache.Service{}, rows)
}

// TestRFC9111_4_2_2_Guessed: a tenth of the time since the last change, at most
// a day, where the status or the upstream allows to guess.
func TestRFC9111_4_2_2_Guessed(t *testing.T) {
	const fresh, stale = "hit", "fwd=stale"
	modified := func(ago time.Duration) string { return fmt.Sprintf("Last-Modified: {-%d}", int(ago/time.Second)) }
	runAgain(t, cache.Service{}, []again{
		{name: "fresh", answer: []string{modified(10 * time.Minute)}, after: 59 * time.Second, rfc9111: fresh},
		{name: "stale", answer: []string{modified(10 * time.Minute)}, after: time.Minute, rfc9111: stale},
		{name: "old", answer: []string{modified(1000 * time.Hour)}, after: 23 * time.Hour, rfc9111: fresh},
		{name: "old, after a day", answer: []string{modified(1000 * time.Hour)}, after: 24 * time.Hour, rfc9111: stale},
		{name: "changed in the future", answer: []string{"Last-Modified: {600}"}, rfc9111: stale},
		{name: "404", status: 404, answer: []string{modified(10 * time.Minute)}, after: 59 * time.Second, rfc9111: fresh},
		{name: "302", status: 302, answer: []string{modified(10 * time.Minute)}, rfc9111: "fwd=uri-miss"},
		{name: "302, public", status: 302, answer: []string{modified(10 * time.Minute), "Cache-Control: public"}, after: 59 * time.Second, rfc9111: fresh},
		{name: "max-age=0", answer: []string{modified(10 * time.Minute), "Cache-Control: max-age=0"}, rfc9111: stale},
	})
}

// TestRFC9111_4_2_3_AgeOverTheWire: what came old is older, what took long too,
// and seconds are rounded once.
func TestRFC9111_4_2_3_AgeOverTheWire(t *testing.T) {
	for _, row := range []struct {
		name   string
		fields []string
		takes  time.Duration
		after  time.Duration
		age    string
	}{
		{"new", nil, 0, 10 * time.Second, "10"},
		{"Age", []string{"Age: 7"}, 0, 10 * time.Second, "17"},
		{"Age and the way", []string{"Age: 7"}, 3 * time.Second, 10 * time.Second, "20"},
		{"an older Date", []string{"Age: 7", "Date: {-30}"}, 0, 10 * time.Second, "40"},
		{"a Date to come", []string{"Date: {30}"}, 0, 10 * time.Second, "10"},
		{"no Date", []string{"Date: none"}, 2 * time.Second, 10 * time.Second, "12"},
		{"fractions", nil, 1600 * time.Millisecond, 1600 * time.Millisecond, "3"},
		{"just below", nil, 900 * time.Millisecond, 1050 * time.Millisecond, "1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				sc := newScript(t, mode, stackOptions{})
				a := &says{fields: append([]string{"Cache-Control: max-age=600"}, row.fields...), takes: row.takes}
				sc.run(t,
					step{says: a, body: "answer 1", cache: "fwd=uri-miss"},
					step{pass: row.after, body: "answer 1", cache: "hit", has: []string{"Age: " + row.age}},
				)
			})
		})
	}
}

// TestPolicyLifetimeCountsFromTheAnswer: in policy mode what the upstream says
// of time, age and privacy does not count.
func TestPolicyLifetimeCountsFromTheAnswer(t *testing.T) {
	const fresh, stale = "hit", "fwd=stale"
	var rows []again
	for _, field := range []string{
		"Age: 500", "Date: {-500}", "Expires: 0", "Cache-Control: max-age=0", "Cache-Control: private, no-cache, must-revalidate",
		"Cache-Control: max-age=6000", "Pragma: no-cache",
	} {
		rows = append(
			rows,
			again{name: field, answer: []string{field}, after: 56 * time.Second, policy: fresh},
			again{name: field + ", later", answer: []string{field}, after: time.Minute, policy: stale},
		)
	}
	runAgain(t, cache.Service{}, rows)
}

// TestPolicyLifetimesDiffer: what is stored in one moment does not expire in
// one.
func TestPolicyLifetimesDiffer(t *testing.T) {
	sc := newScript(t, cache.ModePolicy, stackOptions{})
	const keys = 1000
	for i := range keys {
		sc.get(fmt.Sprintf("/v1/a%d", i))
	}
	fresh := func() (n int) {
		for i := range keys { // who asks so changes nothing
			if a := sc.get(fmt.Sprintf("/v1/a%d", i), "Cache-Control: only-if-cached"); strings.HasPrefix(a.cache, "hit") {
				n++
			}
		}
		return n
	}
	sc.pass(57 * time.Second)
	left := fresh() // all but those that lose the full twentieth
	if left < keys-1 {
		t.Errorf("%d of %d are left after 57 s of 60", left, keys)
	}
	for range 3 {
		sc.pass(time.Second)
		now := fresh()
		if expired := left - now; expired < keys/5 || expired > keys/2 {
			t.Errorf("%d of %d expired within one second of three", expired, keys)
		}
		left = now
	}
	if left != 0 {
		t.Errorf("%d of %d are fresh after a minute", left, keys)
	}
	sc.wantAsked(keys)
}

// TestRFC9111_5_2_1_RequestDirectivesOverTheWire: what a caller may ask for
// . A rule of policy mode limits what costs quota.
func TestRFC9111_5_2_1_RequestDirectivesOverTheWire(t *testing.T) {
	const fresh, request, stale = "hit; ttl=", "fwd=request", "fwd=stale"
	const second = time.Second
	answer := []string{"Cache-Control: max-age=60"}
	ask := func(name string, after time.Duration, policy, rfc9111 string, fields ...string) again {
		if len(fields) == 0 {
			fields = []string{"Cache-Control: " + name}
		}
		return again{name: fmt.Sprintf("%s after %v", name, after), answer: answer, after: after, second: fields, policy: policy, rfc9111: rfc9111}
	}
	rows := []again{
		ask("max-age=10", 10*second, fresh, fresh),
		ask("max-age=10", 11*second, request, request),
		ask("max-age=10", 0, fresh, fresh),
		ask("max-age=0", 0, fresh, request),
		ask("max-age=0", 2*second, request, request),
		ask("max-age=100", 61*second, stale, stale),
		ask("no-cache", 0, fresh, request),
		ask("no-cache", 2*second, request, request),
		ask("min-fresh=20", 35*second, fresh, fresh),
		ask("min-fresh=20", 41*second, request, request),
		ask("max-stale", 90*second, "hit; ttl=-", "hit; ttl=-30; detail=max-stale"),
		ask("max-stale=40", 90*second, "hit; ttl=-", "hit; ttl=-30; detail=max-stale"),
		ask("max-stale=20", 90*second, stale, stale),
		ask("max-stale, max-age=70", 90*second, stale, stale),
		ask("max-stale, no-cache", 90*second, stale, stale),
		ask("no-store", 5*second, fresh, fresh),
		ask("no-transform", 5*second, fresh, fresh),
		ask("only-if-cached", 5*second, fresh, fresh),
		ask("only-if-cached, max-stale", 90*second, "hit; ttl=-", "hit; ttl=-30"),
		ask("pragma", 5*second, request, request, "Pragma: no-cache"),
		ask("pragma beside Cache-Control", 5*second, fresh, fresh, "Pragma: no-cache", "Cache-Control: max-age=10"),
	}
	for _, with := range []string{`If-Match: "1"`, "If-Unmodified-Since: {0}"} {
		rows = append(rows, again{name: "only-if-cached, " + with, answer: answer, second: []string{"Cache-Control: only-if-cached", with}, refused: true})
	}
	for _, field := range []string{"only-if-cached", "only-if-cached, max-age=70"} {
		rows = append(rows, again{name: field, answer: answer, after: 61 * second, second: []string{"Cache-Control: " + field}, refused: true})
	}
	runAgain(t, cache.Service{}, rows)
}

// TestRFC9111_5_2_1_5_NoStoreIsNotStored: neither what comes for such a request,
// nor does it change what is stored.
func TestRFC9111_5_2_1_5_NoStoreIsNotStored(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		sc := newScript(t, mode, stackOptions{})
		noStore := []string{"Cache-Control: no-store"}
		sc.run(t,
			step{says: &says{fields: []string{"Cache-Control: max-age=60", `Etag: "1"`}}, with: noStore, body: "answer 1", cache: "fwd=uri-miss; fwd-status=200"},
			step{body: "answer 2", cache: "fwd=uri-miss; fwd-status=200; stored"},
			step{pass: 70 * time.Second, with: noStore, body: "answer 3", cache: "fwd=stale; fwd-status=200"},
			step{body: "answer 2", cache: "fwd=stale; fwd-status=304"},
		)
	})
}

// TestRFC9111_5_2_2_StaleIsForbidden: what the upstream's word keeps from being
// used stale, whatever a caller takes (section 4.2.4). In policy mode the rule
// has said it.
func TestRFC9111_5_2_2_StaleIsForbidden(t *testing.T) {
	var rows []again
	for directive, want := range map[string]string{
		"":                   "hit; ttl=-10",
		", must-revalidate":  "fwd=stale",
		", proxy-revalidate": "fwd=stale",
		", s-maxage=60":      "fwd=stale",
		", no-cache":         "fwd=stale",
	} {
		rows = append(rows, again{
			name: "max-age=60" + directive, answer: []string{"Cache-Control: max-age=60" + directive, `Etag: "1"`},
			after: 70 * time.Second, second: []string{"Cache-Control: max-stale"}, policy: "hit; ttl=-1", rfc9111: want,
		})
	}
	runAgain(t, cache.Service{}, rows)
}

// TestRFC8246_ImmutableOverTheWire: a reload of what does not change is not a
// request; no-cache is.
func TestRFC8246_ImmutableOverTheWire(t *testing.T) {
	answer := []string{"Cache-Control: max-age=60, immutable", `Etag: "1"`}
	const after = 5 * time.Second
	runAgain(t, cache.Service{}, []again{
		{name: "max-age=0", answer: answer, after: after, second: []string{"Cache-Control: max-age=0"}, policy: "fwd=request", rfc9111: "hit"},
		{name: "no-cache", answer: answer, after: after, second: []string{"Cache-Control: no-cache"}, policy: "fwd=request", rfc9111: "fwd=request"},
		{name: "stale", answer: answer, after: time.Minute, second: []string{"Cache-Control: max-age=0"}, policy: "fwd=stale", rfc9111: "fwd=stale"},
	})
}

// TestRFC9213_TargetedFieldOverTheWire: where the operator says that the gateway
// is meant, CDN-Cache-Control counts and nothing beside it, unless it is broken.
func TestRFC9213_TargetedFieldOverTheWire(t *testing.T) {
	const fresh, stale, miss = "hit", "fwd=stale", "fwd=uri-miss"
	const after = 20 * time.Second
	row := func(name, want string, fields ...string) again {
		return again{name: name, answer: append(fields, `Etag: "1"`), after: after, rfc9111: want}
	}
	runAgain(t, cache.Service{Targeted: true}, []again{
		row("over no-store", fresh, "CDN-Cache-Control: max-age=60", "Cache-Control: no-store"),
		row("over Expires", fresh, "CDN-Cache-Control: max-age=60", "Expires: 0"),
		row("shorter", stale, "CDN-Cache-Control: max-age=10", "Cache-Control: max-age=60"),
		row("no-store of its own", miss, "CDN-Cache-Control: no-store", "Cache-Control: max-age=60"),
		row("broken", fresh, "CDN-Cache-Control: max-age=10,,", "Cache-Control: max-age=60"),
		row("a text for a number", fresh, `CDN-Cache-Control: max-age="10"`, "Cache-Control: max-age=60"),
	})
	runAgain(t, cache.Service{}, []again{
		row("not meant", miss, "CDN-Cache-Control: max-age=60", "Cache-Control: no-store"),
		{name: "policy", answer: []string{"CDN-Cache-Control: no-store"}, policy: fresh},
	})
}

// TestRFC9111_5_2_1_7_PartsOfNothing: who does not want the upstream asked does
// not for a part either.
func TestRFC9111_5_2_1_7_PartsOfNothing(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		sc := newScript(t, mode, stackOptions{})
		sc.run(t, step{with: []string{"Range: bytes=0-1", "Cache-Control: only-if-cached"}, status: 504, body: "*", asked: 0})
	})
}
