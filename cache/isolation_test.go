package cache_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/pathpattern"
)

// reflecting answers with everything that it was sent.
func reflecting(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Location", "https://"+r.Header.Get("X-Forwarded-Host")+r.Header.Get("Origin"))
	fmt.Fprintf(w, "%s %s\n", r.Method, r.URL.RequestURI())
	for _, name := range unkeyed() {
		for _, v := range r.Header[http.CanonicalHeaderKey(name)] {
			fmt.Fprintf(w, "%s: %s\n", name, v)
		}
	}
}

// unkeyed are request fields by which answers have been poisoned elsewhere.
func unkeyed() []string {
	return []string{
		"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-For",
		"X-Forwarded-Server", "X-Host", "X-Original-Host", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override",
		"X-Http-Method", "X-Method-Override", "X-Http-Path-Override", "X-Requested-With", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip",
		"Cf-Connecting-Ip", "Forwarded", "Origin", "Referer", "User-Agent", "Dnt", "Sec-Gpc", "Prefer", "From", "Cookie", "Save-Data",
		"Downlink", "Rtt", "Device-Memory", "Width", "Viewport-Width", "Upgrade-Insecure-Requests", "Sec-Fetch-Site",
		"Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Ch-Ua", "X-Wap-Profile", "X-Att-Deviceid", "Accept-Charset", "Accept-Datetime",
		"Content-Type", "Content-Language", "Content-Encoding", "Accept-Encoding", "Range", "If-Range", "If-None-Match",
		"If-Modified-Since", "Cache-Control", "Pragma", "Te", "Max-Forwards", "Warning", "X-Amz-Website-Redirect-Location",
		"Transfer-Encoding-X", "X-Custom", "Authorization",
	}
}

// TestUnkeyedFieldsChangeNothing (SEC-44): whatever one caller sends, it shows in
// no answer that another one gets from the store.
func TestUnkeyedFieldsChangeNothing(t *testing.T) {
	for _, mode := range []cache.Mode{cache.ModePolicy, cache.ModeRFC9111} {
		for _, name := range unkeyed() {
			t.Run(fmt.Sprintf("%d %s", mode, name), func(t *testing.T) {
				s := newStack(t, stackOptions{service: cache.Service{Mode: mode}, origin: func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Cache-Control", "public, max-age=60")
					reflecting(w, r)
				}})
				const poison = "evil.example"
				s.get("/v1/a", name+": "+poison)
				clean := s.get("/v1/a")
				if strings.Contains(clean.body+fmt.Sprint(clean.header), poison) {
					t.Errorf("%s reached another caller: %q %v", name, clean.body, clean.header)
				}
			})
		}
	}
}

// TestAnswersBelongToACredential (SEC-42): callers of one credential share, other
// credentials, other accounts behind the same name, and callers where a rule
// says so do not.
func TestAnswersBelongToACredential(t *testing.T) {
	s := newStack(t, stackOptions{origin: counting()})
	s.get("/v1/a", "X-Caller: pos").want(t, 200, "answer 1", "fwd=uri-miss")
	s.get("/v1/a", "X-Caller: shop").want(t, 200, "answer 1", "hit")
	s.get("/v1/a", "X-Credential: other").want(t, 200, "answer 2", "fwd=uri-miss")
	account := "account-2"
	s.nodes[0].account.Store(&account)
	s.get("/v1/a", "X-Caller: pos").want(t, 200, "answer 3", "fwd=uri-miss")

	own := everything()
	own.PerCaller = true
	s = newStack(t, stackOptions{rule: own, origin: counting()})
	s.get("/v1/a", "X-Caller: pos").want(t, 200, "answer 1", "fwd=uri-miss")
	s.get("/v1/a", "X-Caller: shop").want(t, 200, "answer 2", "fwd=uri-miss")
	s.get("/v1/a", "X-Caller: pos").want(t, 200, "answer 1", "hit")
}

// TestCallersWithoutTheCache are never answered from it, and their own token's
// answers are never stored.
func TestCallersWithoutTheCache(t *testing.T) {
	s := newStack(t, stackOptions{origin: counting(), stage: func(o *cache.StageOptions) {
		o.Caller = func(name string) bool { return name != "live" }
	}})
	s.get("/v1/a", "X-Caller: pos").want(t, 200, "answer 1", "fwd=uri-miss")
	s.get("/v1/a", "X-Caller: live").want(t, 200, "answer 2", "fwd=bypass; detail=caller")
	s.get("/v1/a", "X-Credential: passthrough").want(t, 200, "answer 3", "fwd=bypass; detail=account")
	s.get("/v1/a", "X-Credential: passthrough").want(t, 200, "answer 4", "fwd=bypass; detail=account")
	s.get("/v1/a", "X-Caller: pos").want(t, 200, "answer 1", "hit")
}

// TestErrorsAreNotStored (SEC-45): what a caller can provoke is nobody else's
// answer; 404 and 410 only for the time that a rule gives them.
func TestErrorsAreNotStored(t *testing.T) {
	for _, status := range []int{400, 405, 406, 409, 413, 414, 429, 431, 500, 501, 503} {
		s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") == "bad" {
				w.WriteHeader(status)
				return
			}
			_, _ = io.WriteString(w, "fine")
		}})
		s.get("/v1/a", "Accept: bad").want(t, status, "", "fwd=uri-miss")
		s.get("/v1/a", "Accept: bad").want(t, status, "", "fwd=uri-miss")
		s.get("/v1/a").want(t, 200, "fine", "fwd=uri-miss")
	}
	short := everything()
	short.NegativeTTL = 10 * time.Second
	for _, status := range []int{404, 410} {
		for _, rule := range []*cache.Rule{everything(), short} {
			s := newStack(t, stackOptions{rule: rule, origin: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }})
			s.get("/v1/a")
			s.get("/v1/a")
			s.wantAsked(map[time.Duration]int64{0: 2, 10 * time.Second: 1}[rule.NegativeTTL])
			s.pass(11 * time.Second)
			s.get("/v1/a")
			s.wantAsked(map[time.Duration]int64{0: 3, 10 * time.Second: 2}[rule.NegativeTTL])
		}
	}
}

// TestPathsAreNotGuessed (SEC-46): what is stored is decided by rules, never by
// what a path looks like.
func TestPathsAreNotGuessed(t *testing.T) {
	rules := []cache.Rule{
		{Path: pathpattern.MustParse("/v1/Companies({company})/Customers**"), Version: "1", Never: true},
		{Path: pathpattern.MustParse("/v1/Public**"), Version: "2", TTL: time.Minute},
	}
	s := newStack(t, stackOptions{service: cache.Service{Rules: rules}, origin: reflecting})
	n := int64(0)
	for _, path := range []string{
		"/v1/Companies(1)/Customers(2)/a.css", "/v1/Companies(1)/Customers(2);.css", "/v1/Companies(1)/Customers(2)%2fa.css",
		"/v1/Companies(1)/Customers(2)?x=.js", "/v1/Companies(1)/Customers(2).", "/v1/companies(1)/customers(2)", "/other.css",
	} {
		for range 2 {
			n++
			if a := s.get(path); !strings.HasPrefix(a.cache, "fwd=bypass; detail=rule") {
				t.Errorf("%s: %s", path, a.cache)
			}
		}
	}
	s.wantAsked(n)
}

// TestNothingOfASessionIsStored (SEC-47): cookies, quota fields and ids of the
// first caller's answer are in no later one.
func TestNothingOfASessionIsStored(t *testing.T) {
	s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Set-Cookie"] = []string{"a=1", "b=2"}
		h["set-cookie"] = []string{"c=3"}
		for _, name := range []string{
			"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit", "RateLimit-Policy", "Retry-After",
			"IQ-APIM-RateLimit-Limit", "X-Request-Id", "Traceparent", "X-Correlation-Id", "Server-Timing", "Proxy-Status",
		} {
			h.Set(name, "first")
		}
		h.Set("Connection", "X-Hop")
		h.Set("X-Hop", "hop")
		h.Set("Trailer", "Set-Cookie")
		_, _ = io.WriteString(w, "text")
		h.Set("Set-Cookie", "d=4")
	}})
	s.get("/v1/a")
	hit := s.get("/v1/a").want(t, 200, "text", "hit")
	for name, values := range hit.header {
		for _, v := range values {
			if strings.Contains(v, "first") || strings.Contains(v, "=1") || name == "Set-Cookie" || name == "X-Hop" {
				t.Errorf("a hit carries %s: %s", name, v)
			}
		}
	}
	date, err := http.ParseTime(hit.header.Get("Date"))
	if err != nil || time.Since(date) > 5*time.Second {
		t.Errorf("Date %q", hit.header.Get("Date"))
	}
}

// TestVariantsAreBounded (SEC-49): many languages of one page are sixteen
// stored answers, and another page stays.
func TestVariantsAreBounded(t *testing.T) {
	n := 500
	if *cache.Long {
		n = 10000
	}
	s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Vary"] = []string{"Accept,Accept-Language,Accept-Encoding,Accept-Encoding"}
		_, _ = io.WriteString(w, r.Header.Get("Accept-Language"))
	}})
	s.get("/v1/other", "Accept-Language: en").want(t, 200, "en", "fwd=uri-miss")
	for i := range n {
		language := fmt.Sprintf("x-%d", i)
		s.get("/v1/a", "Accept-Language: "+language).want(t, 200, language, "fwd=")
	}
	s.get("/v1/other", "Accept-Language: en").want(t, 200, "en", "hit")
	if c := s.nodes[0].cache; c.Keys() != 2 {
		t.Errorf("%d keys", c.Keys())
	}
}
