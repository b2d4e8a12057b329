package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// decodeKey is the inverse of keyParts.key: that it exists is what makes the
// encoding injective.
func decodeKey(k Key) (p keyParts, err error) {
	rest := string(k)
	if rest == "" || rest[0] > 1 {
		return p, errors.New("no flags")
	}
	p.HasQuery, rest = rest[0] == 1, rest[1:]
	for _, part := range stringParts(&p) {
		n, size := binary.Uvarint([]byte(rest))
		if size <= 0 || uint64(len(rest)-size) < n {
			return p, errors.New("a part is cut")
		}
		*part, rest = rest[size:size+int(n)], rest[size+int(n):]
	}
	if rest != "" {
		return p, errors.New("more than the parts")
	}
	return p, nil
}

func TestKeyKeepsEveryPart(t *testing.T) {
	for _, p := range []keyParts{
		{},
		{HasQuery: true},
		{
			Service: ServiceName{"sandbox", "crm"}, Method: "GET", Path: "/v1/Companies(1)", Query: "$top=1;x",
			HasQuery: true, Policy: "authenticated", Credential: "main", Account: "iq:4711", Caller: "shop",
			RuleVersion: "v1", Body: "ab",
		},
		{Path: "/" + strings.Repeat("long", 1000), Query: strings.Repeat("\x80", 127), Body: strings.Repeat("b", 128)},
	} {
		got, err := decodeKey(p.key())
		if err != nil || got != p {
			t.Errorf("%+v came back as %+v, %v", p, got, err)
		}
	}
}

// keyAlphabet are parts that a careless encoding confuses: empty, prefixes of
// one another, and what could be a separator or a length.
var keyAlphabet = []string{"", "a", "aa", "ab", "b", "\x00", "\x01", "\x01a", "\x02aa", "/", "|", ":", "1", "GET", " ", "a ", "\x80\x01"}

func randomParts(r *rand.Rand) keyParts {
	// Of most parts the value is fixed, so that pairs are near one another.
	pick := func() string {
		if r.IntN(3) > 0 {
			return ""
		}
		return keyAlphabet[r.IntN(len(keyAlphabet))]
	}
	return keyParts{
		Service: ServiceName{pick(), pick()}, Method: pick(), Path: pick(), Query: pick(), HasQuery: r.IntN(2) == 0,
		Policy: pick(), Credential: pick(), Account: pick(), Caller: pick(), RuleVersion: pick(), Body: pick(),
	}
}

// neighbour returns p with one or two parts drawn anew, often with text moved
// from one part to the next.
func neighbour(r *rand.Rand, p keyParts) keyParts {
	fields := stringParts(&p)
	i := r.IntN(len(fields))
	next := fields[(i+1)%len(fields)]
	switch r.IntN(4) {
	case 0:
		p.HasQuery = !p.HasQuery
	case 1:
		*fields[i] = keyAlphabet[r.IntN(len(keyAlphabet))]
	case 2:
		*fields[i], *next = *next, *fields[i]
	default:
		*fields[i], *next = *fields[i]+*next, ""
	}
	return p
}

// checkInjective compares pairs of keys, and says which two requests share one.
func checkInjective(encode func(keyParts) Key, pairs int) error {
	r := rand.New(rand.NewPCG(1, 2))
	for range pairs {
		p := randomParts(r)
		q := neighbour(r, p)
		if (p == q) != (encode(p) == encode(q)) {
			return fmt.Errorf("%+v and %+v: key %q and %q", p, q, encode(p), encode(q))
		}
	}
	return nil
}

// RFC 9111, section 2: a stored answer is found by the request's own key only.
func TestKeyIsInjective(t *testing.T) {
	pairs := 1_000_000
	if testing.Short() {
		pairs = 100_000
	}
	if err := checkInjective(keyParts.key, pairs); err != nil {
		t.Error(err)
	}
}

// The property above notices every part that is left out and every two that
// run together.
func TestKeyNeedsEveryPart(t *testing.T) {
	const pairs = 100_000
	n := len(stringParts(&keyParts{}))
	for i := range n {
		without := func(p keyParts) Key {
			*stringParts(&p)[i] = ""
			return p.key()
		}
		if checkInjective(without, pairs) == nil {
			t.Errorf("a key without part %d passes as injective", i)
		}
		merged := func(p keyParts) Key {
			fields := stringParts(&p)
			*fields[i], *fields[(i+1)%n] = *fields[i]+*fields[(i+1)%n], ""
			return p.key()
		}
		if checkInjective(merged, pairs) == nil {
			t.Errorf("a key that joins parts %d and %d passes as injective", i, (i+1)%n)
		}
	}
	withoutFlag := func(p keyParts) Key {
		p.HasQuery = false
		return p.key()
	}
	if checkInjective(withoutFlag, pairs) == nil {
		t.Error("a key without HasQuery passes as injective")
	}
	joined := func(p keyParts) Key { return Key(fmt.Sprint(p)) }
	if checkInjective(joined, pairs) == nil {
		t.Error("a key with separators passes as injective")
	}
}

// A field added to keyParts and forgotten in key is found here.
func TestKeyDiffersInEachField(t *testing.T) {
	base, texts := keyParts{}, 0
	eachLeaf(reflect.ValueOf(&base).Elem(), "keyParts", func(name string, leaf reflect.Value) {
		before := base.key()
		switch leaf.Kind() {
		case reflect.String:
			leaf.SetString("x")
			texts++
		case reflect.Bool:
			leaf.SetBool(true)
		default:
			t.Fatalf("%s is a %s: teach this test to change it", name, leaf.Kind())
		}
		if base.key() == before {
			t.Errorf("%s is not part of the key", name)
		}
		leaf.SetZero()
	})
	if known := len(stringParts(&base)); known != texts {
		t.Errorf("stringParts knows %d of %d parts", known, texts)
	}
}

func eachLeaf(v reflect.Value, name string, do func(string, reflect.Value)) {
	if v.Kind() != reflect.Struct {
		do(name, v)
		return
	}
	for i := range v.NumField() {
		eachLeaf(v.Field(i), name+"."+v.Type().Field(i).Name, do)
	}
}

// stringParts returns the text parts of p. TestKeyDiffersInEachField says when
// one is missing.
func stringParts(p *keyParts) []*string {
	return []*string{
		&p.Service.Environment, &p.Service.Service, &p.Method, &p.Path, &p.Query,
		&p.Policy, &p.Credential, &p.Account, &p.Caller, &p.RuleVersion, &p.Body,
	}
}

func FuzzDecodeKey(f *testing.F) {
	f.Add(string(keyParts{}.key()))
	f.Add(string(keyParts{Method: "GET", Path: "/v1/x", Query: "a=b", HasQuery: true}.key()))
	f.Add("\x01\x80")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := decodeKey(Key(text))
		if err != nil {
			return
		}
		if again, err := decodeKey(p.key()); err != nil || again != p {
			t.Errorf("%+v came back as %+v, %v", p, again, err)
		}
	})
}

func BenchmarkKey(b *testing.B) {
	p := keyParts{
		Service: ServiceName{"production", "catalogs"}, Method: "GET",
		Path:  "/v1/Companies(14146)/Catalog/Items/ByVendorSku",
		Query: "vendorId=12&vendorSku=ABC", HasQuery: true, Policy: "authenticated",
		Credential: "main", Account: "0123456789abcdef", RuleVersion: "89abcdef",
	}
	b.ReportAllocs()
	for b.Loop() {
		if p.key() == "" {
			b.Fatal("empty")
		}
	}
}
