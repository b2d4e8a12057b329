package config

import (
	"strings"
	"testing"
)

func TestCertificateURI(t *testing.T) {
	for uri, want := range map[string]string{
		"spiffe://corp.example/ns/shop/sa/storefront":   "",
		"spiffe://corp.example":                         "",
		"spiffe://corp_1.example-2/A.b-c_d":             "",
		"urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66": "",
		"https://corp.example/a?b#c":                    "",
		"":                                              "no URI",
		"corp.example/a":                                "no URI",
		"://x":                                          "no URI",
		"SPIFFE://corp.example/a":                       "lower case",
		"spiffe:corp.example":                           "lower case",
		"spiffe://":                                     "trust domain",
		"spiffe:///a":                                   "trust domain",
		"spiffe://Corp.example/a":                       "trust domain",
		"spiffe://corp.example:443/a":                   "trust domain",
		"spiffe://user@corp.example/a":                  "percent escape",
		"spiffe://corp.example/a?":                      "query",
		"spiffe://corp.example/a#":                      "fragment",
		"spiffe://corp.example/a%2fb":                   "percent escape",
		"spiffe://corp.example/":                        "slash at its end",
		"spiffe://corp.example/a/":                      "slash at its end",
		"spiffe://corp.example/a//b":                    "empty",
		"spiffe://corp.example/a/./b":                   "segment",
		"spiffe://corp.example/../b":                    "segment",
		"spiffe://corp.example/a*b":                     "segment",
		"spiffe://corp.example/a\x00":                   "character",
		"spiffe://corp.example/a b":                     "character",
		"spiffe://corp.example/ä":                       "character",
	} {
		if got := badCertificateURI(uri); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
}

func TestHostName(t *testing.T) {
	for name, want := range map[string]bool{
		"a.corp.example": true, "A-1.corp_x": true, "localhost": true,
		"*.corp.example": false, "a.corp.example.": false, ".a": false, "a..b": false, "a:443": false, "a/b": false,
		"a b": false, "a\x00b": false, "": false, strings.Repeat("a", 64): false, strings.Repeat("a.", 127) + "b": false,
	} {
		if isHostName(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
}
