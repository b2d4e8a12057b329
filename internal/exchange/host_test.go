package exchange_test

import (
	"net/url"
	"testing"

	"iqgateway/internal/exchange"
)

func TestShortHost(t *testing.T) {
	for raw, want := range map[string]string{
		"https://a.example": "a.example", "https://a.example:443/v1": "a.example", "http://a.example:443": "a.example:443",
		"http://a.example:80": "a.example", "http://a.example:8080": "a.example:8080", "https://[::1]:443": "[::1]",
		"socks5://a.example:1080": "a.example",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := exchange.ShortHost(u); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}
