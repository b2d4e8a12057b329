package config_test

import (
	"strings"
	"testing"

	"iqgateway/config"
)

func TestEncodeYAMLKeepsNamesOrderAndText(t *testing.T) {
	var b strings.Builder
	err := config.EncodeYAML(&b, struct {
		Zulu  string   `json:"zulu"`
		Alpha []string `json:"alpha,omitempty"`
		Yes   string   `json:"yes"`
		Count int      `json:"count"`
	}{"a: b", []string{"no", "GET /x?$top=1"}, "true", 3})
	want := "zulu: 'a: b'\nalpha:\n  - \"no\"\n  - GET /x?$top=1\n\"yes\": \"true\"\ncount: 3\n"
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b.String(), want)
	}
}
