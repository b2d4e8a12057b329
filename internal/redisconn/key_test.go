package redisconn_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"iqgateway/internal/redisconn"
)

func named(t testing.TB, o redisconn.Options) *redisconn.Conn {
	t.Helper()
	o.Addresses = []string{"127.0.0.1:1"}
	c, err := redisconn.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKeyShape(t *testing.T) {
	c := named(t, redisconn.Options{NameKey: key(9)})
	shape := regexp.MustCompile(`^iqgw:token:\{[A-Za-z0-9_-]{22}\}:lock$`)
	got := c.Key("token", "production", "shop-owner").Field("lock")
	if !shape.MatchString(got) {
		t.Errorf("key %q", got)
	}
	if strings.Contains(got, "shop") || strings.Contains(got, "production") {
		t.Errorf("key %q shows a part", got)
	}
	slot := regexp.MustCompile(`\{.*\}`)
	other := c.Key("token", "production", "shop-owner").Field("value")
	if other == got || slot.FindString(other) != slot.FindString(got) {
		t.Errorf("fields %q and %q do not share a slot", got, other)
	}
	if base := c.Key("token", "production", "shop-owner").String(); base+":lock" != got {
		t.Errorf("name without a field %q", base)
	}
	if got := named(t, redisconn.Options{KeyPrefix: "blue"}).Key("k").String(); !strings.HasPrefix(got, "blue:k:{") {
		t.Errorf("own prefix: %q", got)
	}
}

func TestKeysDiffer(t *testing.T) {
	c := named(t, redisconn.Options{NameKey: key(9)})
	name := func(c *redisconn.Conn, kind string, parts ...string) string { return c.Key(kind, parts...).String() }
	pairs := [][2]string{
		{name(c, "k", "ab", "c"), name(c, "k", "a", "bc")},
		{name(c, "k", "abc"), name(c, "k", "abc", "")},
		{name(c, "k"), name(c, "k", "")},
		{name(c, "k", "\x00\x00\x00\x01a"), name(c, "k", "", "a")},
		{strings.TrimPrefix(name(c, "k", "a"), "iqgw:k"), strings.TrimPrefix(name(c, "kind", "a"), "iqgw:kind")},
		{name(c, "k", "a"), name(named(t, redisconn.Options{NameKey: key(8)}), "k", "a")},
		{name(c, "k", "a"), name(named(t, redisconn.Options{}), "k", "a")},
	}
	for i, p := range pairs {
		if p[0] == p[1] {
			t.Errorf("pair %d: both %q", i, p[0])
		}
	}
	if a, b := name(c, "k", "a"), name(named(t, redisconn.Options{NameKey: key(9)}), "k", "a"); a != b {
		t.Errorf("two replicas name the same thing %q and %q", a, b)
	}
}

func TestNoPartIsReadable(t *testing.T) {
	c := named(t, redisconn.Options{NameKey: key(9)})
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringMatching(`[a-z]{4}[a-z0-9.:/-]{4,20}`), 1, 4).Draw(t, "parts")
		got := c.Key("token", parts...).Field("value")
		for _, p := range parts {
			if strings.Contains(got, p) {
				t.Fatalf("key %q shows %q", got, p)
			}
		}
	})
}

func TestHiddenNames(t *testing.T) {
	c := named(t, redisconn.Options{NameKey: key(9)})
	shape := regexp.MustCompile(`^[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for _, hidden := range []string{
		c.Hide("caller", "shop"), c.Hide("caller", "till"), c.Hide("caller", ""), c.Hide("replica", "shop"), c.Hide("callers", "hop"),
		named(t, redisconn.Options{NameKey: key(8)}).Hide("caller", "shop"),
	} {
		if !shape.MatchString(hidden) || seen[hidden] {
			t.Errorf("%q: repeated or of another shape", hidden)
		}
		seen[hidden] = true
	}
	if a, b := c.Hide("caller", "shop"), named(t, redisconn.Options{NameKey: key(9)}).Hide("caller", "shop"); a != b {
		t.Errorf("two replicas hide the same name as %q and %q", a, b)
	}
}
