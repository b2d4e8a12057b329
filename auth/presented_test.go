package auth

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func FuzzBasic(f *testing.F) {
	for _, seed := range []string{
		"", "Basic", "Basic ", "basic " + base64.StdEncoding.EncodeToString([]byte("a:b")), basic("a", ""), basic("", "b"),
		basic("a", "b:c"), "Basic YTpi\n", "Basic  YTpi ", "Bearer key", "Bearer \x00", "Digest a=b", "Basic YTpj=", strings.Repeat(" ", 100),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		got, ok := parseAuthorization(field)
		if !ok {
			if got != (presented{}) {
				t.Fatalf("refused, and yet %+v", got)
			}
			return
		}
		if got.key == "" || strings.Contains(got.caller, ":") {
			t.Fatalf("accepted %+v", got)
		}
		// What was accepted means the same when it is written by the book.
		again := "Bearer " + got.key
		if got.caller != "" {
			again = basic(got.caller, got.key)
		}
		if back, ok := parseAuthorization(again); !ok || back != got {
			t.Fatalf("%q gives %+v, again %+v", field, got, back)
		}
	})
}

// FuzzBasic's counterpart over whole requests: the standard library reads the
// same user and key from what we accept.
func TestBasicAgreesWithTheStandardLibrary(t *testing.T) {
	for _, field := range []string{basic("a", "b"), basic("a", "b:c"), basic("ä", "ö"), "bAsIc YTpi"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", field)
		user, key, ok := r.BasicAuth()
		got, accepted := parseAuthorization(field)
		if !ok || !accepted || got.caller != user || got.key != key {
			t.Errorf("%s: %+v, standard library %q %q", field, got, user, key)
		}
	}
}

func TestCredentialsDoNotTouchTheHeader(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Authorization"] = append(make([]string, 0, 4), "Bearer a")
	r.Header.Set("Proxy-Authorization", "Bearer b")
	found, ok := credentials(nil, r, nil, true)
	if !ok || len(found) != 2 || found[0].key != "a" || found[1].key != "b" {
		t.Fatalf("found %+v", found)
	}
	if spare := r.Header["Authorization"][:2][1]; spare != "" {
		t.Errorf("wrote %q behind the header's values", spare)
	}
}
