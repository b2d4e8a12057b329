package cache

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// exchangeOf is one answer, as storable sees it; the zero value is one that
// nothing stands against.
type exchangeOf struct {
	method     string
	status     int
	authorized bool
	req, resp  http.Header
}

func (e exchangeOf) storable(s *Service, r *Rule) string {
	if e.method == "" {
		e.method = http.MethodGet
	}
	if e.status == 0 {
		e.status = http.StatusOK
	}
	ok, why := storable(s, r, e.method, e.status, e.authorized, e.req, e.resp)
	if ok != (why == whyStored) {
		return fmt.Sprintf("ok = %t, but %q", ok, why)
	}
	return why
}

// fresh is an answer header that allows a shared cache to store for a minute.
func fresh(pairs ...string) http.Header {
	return withFields(headerOf("Cache-Control", "max-age=60"), pairs...)
}

func TestRFC9111_3_Storing(t *testing.T) {
	const validator = `"v"`
	tests := []struct {
		name string
		e    exchangeOf
		want string
	}{
		{"explicit lifetime", exchangeOf{resp: fresh()}, whyStored},
		{"the method is understood", exchangeOf{method: http.MethodHead, resp: fresh()}, whyMethod},
		{"unsafe methods", exchangeOf{method: http.MethodPut, resp: fresh()}, whyMethod},
		{"unknown methods", exchangeOf{method: "QUERY", resp: fresh()}, whyMethod},
		{"methods in another case", exchangeOf{method: "get", resp: fresh()}, whyMethod},
		{"the status is final", exchangeOf{status: 103, resp: fresh()}, whyStatus},
		{"no status", exchangeOf{status: 600, resp: fresh()}, whyStatus},
		{"304", exchangeOf{status: 304, resp: fresh()}, whyStatus},
		{"3.3: parts", exchangeOf{status: 206, resp: fresh("Content-Range", "bytes 0-1/2")}, whyPartial},
		{"3.3: parts that do not call themselves so", exchangeOf{resp: fresh("Content-Range", "bytes 0-1/2")}, whyPartial},
		{"no-store", exchangeOf{resp: fresh("Cache-Control", "no-store")}, whyNoStore},
		{"private", exchangeOf{resp: fresh("Cache-Control", "private")}, whyPrivate},
		{"5.2.2.7: private for what is not stored", exchangeOf{resp: fresh("Cache-Control", `private="Set-Cookie"`)}, whyStored},
		{"Set-Cookie is left out, the answer is kept", exchangeOf{resp: fresh("Set-Cookie", "a=b")}, whyStored},
		{"public alone", exchangeOf{status: 302, resp: headerOf("Cache-Control", "public", "Etag", validator)}, whyStored},
		{"Expires", exchangeOf{status: 302, resp: headerOf("Expires", httpAt(time.Hour))}, whyStored},
		{"s-maxage", exchangeOf{status: 302, resp: headerOf("Cache-Control", "s-maxage=1")}, whyStored},
		{"a heuristic status", exchangeOf{status: 404, resp: headerOf("Etag", validator)}, whyStored},
		{"another status", exchangeOf{status: 302, resp: headerOf("Etag", validator)}, whyUnspecified},
		{"4.2.1: broken lifetime, but a validator", exchangeOf{resp: headerOf("Cache-Control", "max-age=x", "Etag", validator)}, whyStored},
		{"no-cache with a validator", exchangeOf{resp: fresh("Cache-Control", "no-cache", "Last-Modified", httpAt(0))}, whyStored},
		{"no-cache without", exchangeOf{resp: fresh("Cache-Control", "no-cache")}, whyUseless},
		{"stale at once", exchangeOf{resp: headerOf("Cache-Control", "max-age=0")}, whyUseless},
		{"stale at once for us", exchangeOf{resp: headerOf("Cache-Control", "max-age=9, s-maxage=0")}, whyUseless},
		{"stale at once, but for errors", exchangeOf{resp: headerOf("Cache-Control", "max-age=0, stale-if-error=9")}, whyStored},
		{"nothing but a heuristic status", exchangeOf{resp: headerOf()}, whyUseless},
		{"9110 9.3.3: a POST with a lifetime", exchangeOf{method: http.MethodPost, resp: fresh()}, whyStored},
		{"9110 9.3.3: a POST without", exchangeOf{method: http.MethodPost, resp: headerOf("Etag", validator)}, whyUnspecified},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.e.storable(&Service{Mode: ModeRFC9111}, nil); got != test.want {
				t.Errorf("%+v: %q, want %q", test.e, got, test.want)
			}
		})
	}
}

// Any final status with an explicit lifetime may be stored, but for parts, 304
// and what is about credentials; must-understand narrows that to those whose rules are known, and then
// outranks no-store.
func TestRFC9111_5_2_2_3_MustUnderstand(t *testing.T) {
	service := &Service{Mode: ModeRFC9111}
	understood := map[int]bool{}
	for _, status := range []int{
		200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 305, 307, 308,
		400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426,
		500, 501, 502, 503, 504, 505,
	} {
		understood[status] = true
	}
	for status := 200; status < 600; status++ {
		if status == 206 || status == 304 {
			continue
		}
		if status == 401 || status == 407 { // about who asked
			if why := (exchangeOf{status: status, resp: fresh()}).storable(service, nil); why != whyStatus {
				t.Errorf("%d: %q", status, why)
			}
			continue
		}
		if why := (exchangeOf{status: status, resp: fresh()}).storable(service, nil); why != whyStored {
			t.Errorf("%d with a lifetime: %q", status, why)
		}
		want := whyStatus
		if understood[status] {
			want = whyStored
		}
		for _, control := range []string{"must-understand", "no-store, must-understand"} {
			e := exchangeOf{status: status, resp: fresh("Cache-Control", control)}
			if why := e.storable(service, nil); why != want {
				t.Errorf("%d with %s: %q, want %q", status, control, why, want)
			}
		}
	}
}

func TestRFC9111_3_5_Authorization(t *testing.T) {
	tests := []struct {
		control string
		want    string
	}{
		{"max-age=60", whyAuthorization},
		{"max-age=60, proxy-revalidate", whyAuthorization},
		{"max-age=60, immutable", whyAuthorization},
		{"max-age=60, public", whyStored},
		{"max-age=60, must-revalidate", whyStored},
		{"s-maxage=60", whyStored},
		{"max-age=60, public=yes", whyAuthorization},
		{"max-age=60, public, private", whyPrivate},
	}
	for _, test := range tests {
		e := exchangeOf{authorized: true, resp: headerOf("Cache-Control", test.control)}
		if got := e.storable(&Service{Mode: ModeRFC9111}, nil); got != test.want {
			t.Errorf("with a credential, %s: %q, want %q", test.control, got, test.want)
		}
		if got := e.storable(&Service{Mode: ModePolicy}, &Rule{TTL: 1}); got != whyStored {
			t.Errorf("with a credential, which is part of the key: %q", got)
		}
		e.authorized = false
		if got := e.storable(&Service{Mode: ModeRFC9111}, nil); got == whyAuthorization {
			t.Errorf("without a credential, %s: %q", test.control, got)
		}
	}
}

func TestRFC9213_2_2_Storing(t *testing.T) {
	tests := []struct {
		name string
		resp http.Header
		want string
	}{
		{"against Cache-Control", headerOf("CDN-Cache-Control", "max-age=9", "Cache-Control", "no-store, private"), whyStored},
		{"for Cache-Control", headerOf("CDN-Cache-Control", "no-store", "Cache-Control", "max-age=9"), whyNoStore},
		{"no dictionary", headerOf("CDN-Cache-Control", "max-age=9,", "Cache-Control", "no-store"), whyNoStore},
		{"Expires does not count", headerOf("CDN-Cache-Control", "public", "Expires", httpAt(time.Hour)), whyUseless},
	}
	for _, test := range tests {
		if got := (exchangeOf{resp: test.resp}).storable(&Service{Mode: ModeRFC9111, Targeted: true}, nil); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// What makes an answer unfit for others does so in both modes.
func TestStorableInBothModes(t *testing.T) {
	gzip := headerOf("Accept-Encoding", "gzip")
	tests := []struct {
		name string
		e    exchangeOf
		want string
	}{
		{"nothing against it", exchangeOf{resp: fresh()}, whyStored},
		{"9111 5.2.1.5: the caller's no-store", exchangeOf{req: headerOf("Cache-Control", "max-age=5, No-Store"), resp: fresh()}, whyRequest},
		{"9111 4.1: Vary *", exchangeOf{resp: fresh("Vary", "Accept", "Vary", "*")}, whyVary},
		{"9111 4.1: Vary * in a list", exchangeOf{resp: fresh("Vary", "Accept, *")}, whyVary},
		{"Vary on cookies", exchangeOf{resp: fresh("Vary", "cookie")}, whyVary},
		{"Vary on a credential", exchangeOf{resp: fresh("Vary", "Accept,Authorization")}, whyVary},
		{"Vary on what can be keyed", exchangeOf{resp: fresh("Vary", "Accept,Accept-Language,Accept-Encoding,Accept-Encoding")}, whyStored},
		{"9110 8.4: encoded as asked", exchangeOf{req: gzip, resp: fresh("Content-Encoding", "GZIP")}, whyStored},
		{"9110 8.4.1.3: by its old name", exchangeOf{req: gzip, resp: fresh("Content-Encoding", "x-gzip")}, whyStored},
		{"encoded otherwise", exchangeOf{req: gzip, resp: fresh("Content-Encoding", "br")}, whyEncoding},
		{"encoded twice", exchangeOf{req: gzip, resp: fresh("Content-Encoding", "gzip, br")}, whyEncoding},
		{"encoded twice on two lines", exchangeOf{req: gzip, resp: fresh("Content-Encoding", "gzip", "Content-Encoding", "br")}, whyEncoding},
		{"encoded unasked", exchangeOf{resp: fresh("Content-Encoding", "gzip")}, whyEncoding},
		{"encoded as excluded", exchangeOf{req: headerOf("Accept-Encoding", "br, gzip ; q=0.000"), resp: fresh("Content-Encoding", "gzip")}, whyEncoding},
		{"asked for little", exchangeOf{req: headerOf("Accept-Encoding", "br, gzip;q=0.001"), resp: fresh("Content-Encoding", "gzip")}, whyStored},
		{"asked for anything", exchangeOf{req: headerOf("Accept-Encoding", "*"), resp: fresh("Content-Encoding", "gzip")}, whyEncoding},
		{"not encoded", exchangeOf{resp: fresh("Content-Encoding", "identity, ")}, whyStored},
		{"no-store", exchangeOf{resp: fresh("Cache-Control", "NO-STORE")}, whyNoStore},
		{"a part", exchangeOf{status: 206, resp: fresh()}, whyPartial},
		{"not modified", exchangeOf{status: 304, resp: fresh()}, whyStatus},
		{"9110 15.2: interim", exchangeOf{status: 199, resp: fresh()}, whyStatus},
	}
	rule := &Rule{TTL: time.Minute}
	for _, test := range tests {
		for mode, service := range map[string]*Service{"policy": {Mode: ModePolicy}, "rfc9111": {Mode: ModeRFC9111}} {
			if got := test.e.storable(service, rule); got != test.want {
				t.Errorf("%s, %s: %q, want %q", test.name, mode, got, test.want)
			}
		}
		if got := test.e.storable(&Service{}, rule); got != whyMode {
			t.Errorf("%s, in a service that stores nothing: %q", test.name, got)
		}
		for _, rule := range []*Rule{{TTL: time.Minute, Suggest: true}, {TTL: time.Minute, Never: true}} {
			for _, mode := range []Mode{ModePolicy, ModeRFC9111} {
				if got := test.e.storable(&Service{Mode: mode}, rule); got != whyRule {
					t.Errorf("%s, mode %d by %+v: %q", test.name, mode, rule, got)
				}
			}
		}
	}
}

func TestPolicyStorable(t *testing.T) {
	both := &Rule{TTL: time.Minute, NegativeTTL: time.Second}
	tests := []struct {
		name string
		rule *Rule
		e    exchangeOf
		want string
	}{
		{"no rule", nil, exchangeOf{}, whyRule},
		{"a rule that stores nothing", &Rule{}, exchangeOf{}, whyRule},
		{"a rule that only suggests", &Rule{TTL: 1, Suggest: true}, exchangeOf{}, whyRule},
		{"a rule for what is found", &Rule{TTL: 1}, exchangeOf{status: 404}, whyRule},
		{"a rule for what is not", &Rule{NegativeTTL: 1}, exchangeOf{status: 200}, whyRule},
		{"found", both, exchangeOf{}, whyStored},
		{"not found", both, exchangeOf{status: 404}, whyStored},
		{"a rule for what is not found alone", &Rule{NegativeTTL: 1}, exchangeOf{status: 410}, whyStored},
		{"reading POST", both, exchangeOf{method: http.MethodPost}, whyStored},
		{"HEAD", both, exchangeOf{method: http.MethodHead}, whyMethod},
		{
			"what the upstream says about caches", both,
			exchangeOf{resp: headerOf("Cache-Control", "private, no-cache, max-age=0", "Expires", "-1", "Pragma", "no-cache")},
			whyStored,
		},
		{
			"but for no-store, whatever else there is", both,
			exchangeOf{resp: headerOf("Cache-Control", "must-understand, no-store")},
			whyNoStore,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.e.storable(&Service{Mode: ModePolicy}, test.rule); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	for status := 200; status < 600; status++ {
		want := whyStatus
		switch status {
		case 200, 203, 204, 300, 301, 308, 404, 410:
			want = whyStored
		case 206:
			want = whyPartial
		}
		if got := (exchangeOf{status: status}).storable(&Service{Mode: ModePolicy}, both); got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
}

// What is stored in policy mode is fresh, and what has no lifetime is not stored.
func TestPolicyStorableHasLifetime(t *testing.T) {
	service := &Service{Mode: ModePolicy}
	for status := 200; status < 600; status++ {
		for _, rule := range []*Rule{{}, {TTL: time.Hour}, {NegativeTTL: time.Hour}, {TTL: time.Hour, NegativeTTL: time.Hour}} {
			stored := exchangeOf{status: status}.storable(service, rule) == whyStored
			lives := freshness(service, rule, "key", status, nil, 0, sunday()).Lifetime > 0
			if stored != lives {
				t.Errorf("%d by %+v: stored = %t, fresh = %t", status, rule, stored, lives)
			}
		}
	}
}

func FuzzStorable(f *testing.F) {
	f.Add("max-age=5", "no-store", "*", "gzip", "br", 200, true, true)
	f.Add("must-understand, no-store", "", "Accept", "gzip;q=0", "x-gzip", 599, false, false)
	f.Fuzz(func(t *testing.T, control, wants, vary, accept, encoding string, status int, authorized, policy bool) {
		service, rule := &Service{Mode: ModeRFC9111}, (*Rule)(nil)
		if policy {
			service, rule = &Service{Mode: ModePolicy}, &Rule{TTL: time.Minute, NegativeTTL: time.Second}
		}
		e := exchangeOf{
			status: status, authorized: authorized,
			req:  headerOf("Cache-Control", wants, "Accept-Encoding", accept),
			resp: headerOf("Cache-Control", control, "Vary", vary, "Content-Encoding", encoding),
		}
		if e.storable(service, rule) != whyStored {
			return
		}
		ds := parseCacheControl([]string{control})
		switch {
		case status < 200 || status > 599 || status == 206 || status == 304:
			t.Errorf("%d is stored", status)
		case ds.NoStore && (policy || !ds.MustUnderstand), ds.Private && !policy:
			t.Errorf("%q is stored", control)
		case parseCacheControl([]string{wants}).NoStore:
			t.Errorf("what was asked for with %q is stored", wants)
		}
		e.resp.Add("Vary", "*")
		if why := e.storable(service, rule); why != whyVary {
			t.Errorf("with Vary: *: %q", why)
		}
	})
}
