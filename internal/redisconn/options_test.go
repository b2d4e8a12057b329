package redisconn_test

import (
	"strings"
	"testing"
	"time"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/secret"
)

func TestBadOptionsAreNamed(t *testing.T) {
	ok := []string{"127.0.0.1:6379"}
	tests := []struct {
		name    string
		options redisconn.Options
		want    string
	}{
		{"nothing", redisconn.Options{}, "addresses: none"},
		{"no port", redisconn.Options{Addresses: []string{"a:1", "redis"}}, `addresses[1]: "redis" is not host:port`},
		{"URL", redisconn.Options{Addresses: []string{"redis://u:pw@host:1"}}, "addresses[0] is no host:port"},
		{"mode", redisconn.Options{Addresses: ok, Mode: "ring"}, `mode: "ring" is none of`},
		{"single of two", redisconn.Options{Addresses: []string{"a:1", "b:1"}, Mode: redisconn.ModeSingle}, "single takes one address, not 2"},
		{"brace", redisconn.Options{Addresses: ok, KeyPrefix: "a{b}"}, `key_prefix: "a{b}" has a brace`},
		{"negative", redisconn.Options{Addresses: ok, Timeout: -time.Second}, "timeout: -1s is negative"},
		{"name key", redisconn.Options{Addresses: ok, NameKey: secret.New("short")}, "name_key: 5 bytes; want 32"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := redisconn.New(test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), "pw") || strings.Contains(err.Error(), "short")) {
				t.Errorf("error %v shows a secret", err)
			}
		})
	}
}
