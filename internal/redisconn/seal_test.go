package redisconn_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/secret"
)

func key(b byte) secret.Text { return secret.New(strings.Repeat(string([]byte{b}), 32)) }

// sealer has no server: sealing needs none.
func sealer(t testing.TB, hooks redisconn.Hooks, keys ...secret.Text) (*redisconn.Conn, *redisconn.Keyring) {
	t.Helper()
	ring, err := redisconn.NewKeyring(keys)
	if err != nil {
		t.Fatal(err)
	}
	c, err := redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:1"}, Keys: ring, Hooks: hooks})
	if err != nil {
		t.Fatal(err)
	}
	return c, ring
}

// place is where a value is sealed for.
type place struct {
	kind, name string
	version    uint64
}

func anyPlace(t *rapid.T, label string) place {
	return place{
		rapid.String().Draw(t, label+" kind"), rapid.String().Draw(t, label+" name"), rapid.Uint64().Draw(t, label+" version"),
	}
}

func rejection(err error) redisconn.RejectReason {
	if rejected, ok := errors.AsType[*redisconn.RejectedError](err); ok {
		return rejected.Reason
	}
	return ""
}

func TestSealRoundTrip(t *testing.T) {
	c, _ := sealer(t, redisconn.Hooks{}, key(1))
	rapid.Check(t, func(t *rapid.T) {
		at := anyPlace(t, "")
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		sealed, err := c.Seal(at.kind, at.name, at.version, plain)
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.Seal(at.kind, at.name, at.version, plain)
		if err != nil || again == sealed {
			t.Fatalf("sealed twice alike (%v)", err)
		}
		got, err := c.Open(at.kind, at.name, at.version, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("opened %q, %v; sealed %q", got, err, plain)
		}
	})
}

func TestValueOpensOnlyWhereItWasSealed(t *testing.T) {
	c, _ := sealer(t, redisconn.Hooks{}, key(1))
	rapid.Check(t, func(t *rapid.T) {
		at, other := anyPlace(t, "own"), anyPlace(t, "other")
		if rapid.Bool().Draw(t, "shift") { // the same bytes, cut elsewhere
			all := at.kind + at.name
			cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
			other = place{all[:cut], all[cut:], at.version}
		}
		if at == other {
			t.Skip("the same place")
		}
		sealed, err := c.Seal(at.kind, at.name, at.version, []byte("token"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Open(other.kind, other.name, other.version, sealed); rejection(err) != redisconn.Tampered {
			t.Fatalf("a value of %+v opens at %+v: %q, %v", at, other, got, err)
		}
	})
}

func TestOneChangedBitIsRejected(t *testing.T) {
	c, _ := sealer(t, redisconn.Hooks{}, key(1))
	sealed, err := c.Seal("token", "name", 7, []byte("the tokens")) // the last character has unused bits
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	want := func(i int) redisconn.RejectReason {
		switch {
		case i == 0:
			return redisconn.Malformed // format
		case i < 5:
			return redisconn.UnknownKey // key id
		default:
			return redisconn.Tampered
		}
	}
	for i := range raw {
		for bit := range 8 {
			changed := bytes.Clone(raw)
			changed[i] ^= 1 << bit
			_, err := c.Open("token", "name", 7, base64.RawURLEncoding.EncodeToString(changed))
			if rejection(err) != want(i) {
				t.Fatalf("byte %d bit %d: %v, want %s", i, bit, err, want(i))
			}
		}
	}
	last := len(sealed) - 1
	if _, err := c.Open("token", "name", 7, sealed[:last]+string([]byte{sealed[last] + 1})); rejection(err) != redisconn.Malformed {
		t.Errorf("an unused bit changed: %v", err) // A, Q, g or w became B, R, h or x
	}
	for i := range len(sealed) { // of the text too
		changed := []byte(sealed)
		changed[i] ^= 1
		if _, err := c.Open("token", "name", 7, string(changed)); rejection(err) == "" {
			t.Fatalf("character %d changed: opened, %v", i, err)
		}
	}
}

func TestRejectionsAreReported(t *testing.T) {
	var got []string
	c, _ := sealer(t, redisconn.Hooks{Rejected: func(kind string, r redisconn.RejectReason) {
		got = append(got, kind+" "+string(r))
	}}, key(1))
	for _, sealed := range []string{"", "x", "!", "AQ", strings.Repeat("A", 80)} {
		if _, err := c.Open("token", "n", 1, sealed); rejection(err) != redisconn.Malformed || err.Error() != "stored value rejected: malformed" {
			t.Errorf("%q: %v", sealed, err)
		}
	}
	if len(got) != 5 || got[0] != "token malformed" {
		t.Errorf("reported %q", got)
	}
	sealed, err := c.Seal("token", "n", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open("token", "n", 1, sealed); err != nil || len(got) != 5 {
		t.Errorf("an empty value: %v, reported %q", err, got)
	}
	if _, err := c.Open("token", "n", 1, sealed[:4]+"\n"+sealed[4:]); rejection(err) != redisconn.Malformed {
		t.Errorf("a second text opens to the same value: %v", err)
	}
}

func TestWithoutKeys(t *testing.T) {
	c, err := redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Sealing() {
		t.Error("Sealing without keys")
	}
	if _, err := c.Seal("k", "n", 1, nil); !errors.Is(err, redisconn.ErrNoKeys) {
		t.Errorf("Seal: %v", err)
	}
	if _, err := c.Open("k", "n", 1, "x"); !errors.Is(err, redisconn.ErrNoKeys) {
		t.Errorf("Open: %v", err)
	}
}

func TestKeysRotate(t *testing.T) {
	c, ring := sealer(t, redisconn.Hooks{}, key(1))
	old, err := c.Seal("token", "n", 1, []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	opens := func(sealed string) redisconn.RejectReason {
		_, err := c.Open("token", "n", 1, sealed)
		return rejection(err)
	}
	// While files are moved, the current key is also the one before, and a
	// replica that starts then must not refuse to.
	for _, same := range [][]secret.Text{{key(1), key(1)}, {key(9), key(1), key(9), key(1)}} {
		if err := ring.Replace(same); err != nil || opens(old) != "" {
			t.Errorf("a key twice: error %v, afterwards %q", err, opens(old))
		}
	}
	if err := ring.Replace([]secret.Text{key(2), key(1)}); err != nil {
		t.Fatal(err)
	}
	newer, err := c.Seal("token", "n", 1, []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if opens(old) != "" || opens(newer) != "" {
		t.Error("with both keys not both values open")
	}
	if err := ring.Replace([]secret.Text{key(2)}); err != nil {
		t.Fatal(err)
	}
	if opens(old) != redisconn.UnknownKey || opens(newer) != "" {
		t.Errorf("after the old key has gone: old %q, new %q", opens(old), opens(newer))
	}
	for name, bad := range map[string][]secret.Text{
		"none": nil, "short": {secret.New("short")}, "absent": {{}}, "second long": {key(3), secret.New(strings.Repeat("x", 33))},
	} {
		if err := ring.Replace(bad); err == nil || opens(newer) != "" {
			t.Errorf("%s: error %v, afterwards %q", name, err, opens(newer))
		}
		if _, err := redisconn.NewKeyring(bad); err == nil {
			t.Errorf("%s: a ring is made", name)
		}
	}
}

func TestKeysRotateUnderLoad(t *testing.T) {
	c, ring := sealer(t, redisconn.Hooks{}, key(1), key(2))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				sealed, err := c.Seal("token", "n", 1, []byte("plain"))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := c.Open("token", "n", 1, sealed); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 1000 { // both are in the ring all the time
		if err := ring.Replace([]secret.Text{key(byte(1 + i%2)), key(byte(2 - i%2))}); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func FuzzOpen(f *testing.F) {
	c, _ := sealer(f, redisconn.Hooks{}, key(1))
	for _, seed := range []string{oldSealed, oldSealed[1:], oldSealed + "A", "", "AQAAAAAA", strings.Repeat("_", 100), "\x00\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := c.Open("token", oldName, 3, text)
		switch {
		case text == oldSealed:
			if err != nil || string(got) != "plain" {
				t.Errorf("%q, %v", got, err)
			}
		case rejection(err) == "": // a forgery, or an error without a reason
			t.Errorf("%q gives %q, %v", text, got, err)
		}
	})
}
