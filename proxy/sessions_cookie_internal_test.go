package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/secret"
)

var cookieNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestParseCookie(t *testing.T) {
	const path = "/reports/daily"
	in := func(d time.Duration) time.Time { return cookieNow.Add(d) }
	kept := func(name, value, path string, secure bool, expires time.Time) cookie {
		return cookie{name, secret.New(value), path, secure, expires}
	}
	tests := map[string]struct {
		line  string
		plain bool // over http
		want  cookie
		ok    bool
	}{
		"plain":                   {"s=1", false, kept("s", "1", "/reports", false, time.Time{}), true},
		"all attributes":          {"s=1; Path=/x; Secure; HttpOnly; SameSite=Lax; Max-Age=60", false, kept("s", "1", "/x", true, in(time.Minute)), true},
		"Max-Age beats Expires":   {"s=1; Path=/; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", false, kept("s", "1", "/", false, in(time.Minute)), true},
		"Expires":                 {"s=1; Path=/; Expires=Sun, 01 Mar 2026 12:01:00 GMT", false, kept("s", "1", "/", false, in(time.Minute)), true},
		"Max-Age 0 deletes":       {"s=; Path=/; Max-Age=0", false, kept("s", "", "/", false, cookieNow), true},
		"negative Max-Age":        {"s=1; Path=/; Max-Age=-5", false, kept("s", "1", "/", false, cookieNow), true},
		"endless Max-Age":         {"s=1; Path=/; Max-Age=9999999999", false, kept("s", "1", "/", false, in(365*24*time.Hour)), true},
		"a past date deletes":     {"s=1; Path=/; Expires=Thu, 01 Jan 2015 00:00:00 GMT", false, kept("s", "1", "/", false, time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)), true},
		"Domain is ignored":       {"s=1; Path=/; Domain=.iqmetrix.net", false, kept("s", "1", "/", false, time.Time{}), true},
		"relative path":           {"s=1; Path=x", false, kept("s", "1", "/reports", false, time.Time{}), true},
		"path with a control":     {"s=1; Path=/a\tb", false, kept("s", "1", "/reports", false, time.Time{}), true},
		"quoted value":            {`s="a b"; Path=/`, false, kept("s", `"a b"`, "/", false, time.Time{}), true},
		"base64":                  {"s=ab+/c==; Path=/", false, kept("s", "ab+/c==", "/", false, time.Time{}), true},
		"Secure over plain http":  {"s=1; Secure", true, cookie{}, false},
		"no name":                 {"=1", false, cookie{}, false},
		"no equals sign":          {"s", false, cookie{}, false},
		"empty":                   {"", false, cookie{}, false},
		"name with a space":       {"a b=1", false, cookie{}, false},
		"control in value":        {"s=a\x01b", false, cookie{}, false},
		"quotation mark in value": {`s=a"b`, false, cookie{}, false},
		"not ASCII":               {"s=é", false, cookie{}, false},
		"too long":                {"s=" + strings.Repeat("x", maxCookie), false, cookie{}, false},
		"as long as may be":       {"s=" + strings.Repeat("x", maxCookie-1), false, kept("s", strings.Repeat("x", maxCookie-1), "/reports", false, time.Time{}), true},
	}
	for name, tt := range tests {
		got, ok := parseCookie(tt.line, path, !tt.plain, cookieNow)
		same := got.same(tt.want) && got.value.Equal(tt.want.value) && got.secure == tt.want.secure && got.expires.Equal(tt.want.expires)
		if ok != tt.ok || !same {
			t.Errorf("%s: %+v = %q, %v; want %+v", name, got, got.value.Reveal(), ok, tt.want)
		}
	}
}

func TestCookiePaths(t *testing.T) {
	for _, tt := range []struct {
		cookie, request string
		want            bool
	}{
		{"/", "/", true},
		{"/", "/x/y", true},
		{"/x", "/x", true},
		{"/x", "/x/y", true},
		{"/x/", "/x/y", true},
		{"/x/", "/x", false},
		{"/x", "/xy", false},
		{"/x", "/X", false},
		{"/x/y", "/x", false},
	} {
		if got := pathMatches(tt.cookie, tt.request); got != tt.want {
			t.Errorf("cookie of %s with a request for %s: %v", tt.cookie, tt.request, got)
		}
	}
	for request, want := range map[string]string{"/": "/", "/x": "/", "/x/": "/x", "/x/y": "/x", "/a/b/c": "/a/b", "": "/"} {
		if got := defaultPath(request); got != want {
			t.Errorf("default path of %q: %q, want %q", request, got, want)
		}
	}
}

// What an upstream sets never becomes more than one well-formed field.
func FuzzCookie(f *testing.F) {
	for _, seed := range []string{"s=1; Path=/", `s="a;b"`, "s=1;Max-Age=-1", "s=a\r\nX: y", "=; ;=", "s=1; Expires=x; Path=/\x00"} {
		f.Add(seed, "/session")
	}
	f.Fuzz(func(t *testing.T, line, path string) {
		var j jar
		j.put("host", j.learn("host", path, true, []string{line, line}, cookieNow), cookieNow)
		field := j.header("host", path, true, cookieNow)
		if strings.ContainsAny(field, "\r\n\x00") || strings.Count(field, ";") > 0 || len(field) > maxCookie+1 {
			t.Errorf("%q became %q", line, field)
		}
		if text := fmt.Sprintf("%v %+v %#v", j, j, j); field != "" && len(field) > 12 && strings.Contains(text, field) {
			t.Errorf("a printed jar shows its cookie: %s", text)
		}
	})
}
