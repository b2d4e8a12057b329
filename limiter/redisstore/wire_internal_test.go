package redisstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/secret"
	"iqgateway/limiter"
)

// unconnected encodes and decodes; it reaches no server.
func unconnected(t testing.TB) *Store {
	t.Helper()
	conn, err := redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:1"}, NameKey: secret.New(strings.Repeat("n", 32))})
	if err != nil {
		t.Fatal(err)
	}
	return New(conn, Options{})
}

// Whatever order the hidden names have, each number comes back to its use.
func TestNumbersComeBackToTheirUses(t *testing.T) {
	s := unconnected(t)
	rapid.Check(t, func(t *rapid.T) {
		var ask limiter.Ask
		callers := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,8}`), 0, 20, rapid.ID[string]).Draw(t, "callers")
		for _, caller := range callers {
			for class := range limiter.Class(rapid.IntRange(1, limiter.Classes).Draw(t, "classes")) {
				ask.Uses = append(ask.Uses, limiter.Use{Caller: caller, Class: class, Waiting: int64(len(ask.Uses))})
			}
		}
		text, order, err := s.encodeAsk(ask)
		if err != nil {
			t.Fatal(err)
		}
		var sent wireAsk
		if err := json.Unmarshal(text, &sent); err != nil {
			t.Fatal(err)
		}
		echo := wireAnswer{Grants: list[int64]{}, Left: list[int64]{}, Fair: list[int64]{}}
		for i, u := range sent.Uses {
			if i > 0 && u.Caller < sent.Uses[i-1].Caller {
				t.Fatal("the script gets the uses unsorted")
			}
			echo.Grants = append(echo.Grants, u.Waiting)
			echo.Left = append(echo.Left, u.Waiting+1)
			echo.Fair = append(echo.Fair, u.Waiting+2)
		}
		answer, err := s.decodeAnswer(string(marshal(t, echo)), order)
		if err != nil {
			t.Fatal(err)
		}
		for i := range ask.Uses {
			n := int64(i)
			if answer.Grants[i] != n || answer.Left[i] != n+1 || answer.Fair[i] != n+2 {
				t.Fatalf("use %d got %d, %d, %d", i, answer.Grants[i], answer.Left[i], answer.Fair[i])
			}
		}
	})
}

func marshal(t interface{ Fatal(...any) }, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAnAskIsNotChanged(t *testing.T) {
	s := unconnected(t)
	ask := func() limiter.Ask {
		return limiter.Ask{
			Replica: "r", Uses: []limiter.Use{{Caller: "b"}, {Caller: "a"}, {Caller: "c"}},
			Parameters: limiter.Parameters{Shares: []limiter.Share{{Caller: "b"}, {Caller: "a"}, {Caller: "c"}}},
		}
	}
	given := ask()
	if _, _, err := s.encodeAsk(given); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ask(), given); diff != "" {
		t.Errorf("the caller's own Ask was changed:\n%s", diff)
	}
}

// No shares at all and those of a configuration without any are two things.
func TestSharesThatAreNotSent(t *testing.T) {
	s := unconnected(t)
	for want, shares := range map[string][]limiter.Share{`"shr":null`: nil, `"shr":[]`: {}} {
		text, _, err := s.encodeAsk(limiter.Ask{Parameters: limiter.Parameters{Shares: shares, SharesID: math.MaxInt64}})
		if err != nil || !strings.Contains(string(text), want) || !strings.Contains(string(text), `"sid":"9223372036854775807"`) {
			t.Errorf("%s, %v, want %s", text, err, want)
		}
	}
}

// What Lua writes of an answer in its own way.
func TestAnswersOfLua(t *testing.T) {
	s := unconnected(t)
	s.names.hide("shop")
	text := fmt.Sprintf(`{"now":1790000000000,"e":5,"m":"known","n":2.53402300799e+14,"l":9.007199254741e+15,"sid":"-3","g":{},"lf":{},"fr":{},"top":{},
		"cl":{"e":4,"by":[{"c":%q,"s":2},{"c":"000000000000","s":3},{"c":"000000000001","s":4}],"p":true}}`, s.names.hide("shop"))
	got, err := s.decodeAnswer(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := limiter.Answer{
		Now: 1790000000000, Epoch: 5, Mode: limiter.ModeKnown, Name: 253402300799000, Limit: 9007199254741000, SharesID: -3,
		Closed: &limiter.Closed{Epoch: 4, Proof: true, By: []limiter.Usage{{Caller: OtherCaller, Spent: 7}, {Caller: "shop", Spent: 2}}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	s := unconnected(t)
	for _, text := range []string{
		"", "null", "[]", "{}", `{"sid":"0","g":[1],"lf":[1,2],"fr":[1,2]}`, `{"sid":"x","g":[1,2],"lf":[1,2],"fr":[1,2]}`,
		`{"sid":"0","g":[1,2],"lf":[1,2],"fr":{"a":1}}`, `{"sid":"0","now":1e+300,"g":[1,2],"lf":[1,2],"fr":[1,2]}`,
	} {
		if a, err := s.decodeAnswer(text, []int{1, 0}); !errors.Is(err, errAnswer) {
			t.Errorf("%s: %+v, %v", text, a, err)
		}
	}
	for _, rest := range [][]any{nil, {"held"}, {1, []any{}}, {"held", "x"}} {
		if v, err := s.decodeSnapshot(reply{text: `{"answer":{"sid":"0"},"callers":{}}`, rest: rest}); !errors.Is(err, errAnswer) {
			t.Errorf("%v: %+v, %v", rest, v, err)
		}
	}
}

// Whatever a script answers is an answer to all uses, or an error.
func FuzzDecodeAnswer(f *testing.F) {
	s := unconnected(f)
	f.Add(`{"now":1790000000000,"e":5,"m":"known","sid":"0","g":[1,2],"lf":[0,0],"fr":[1,1],"top":[{"c":"x","s":1}],"cl":{"by":{}}}`)
	f.Add(`{"g":{},"lf":{},"fr":{},"n":2.5e+14}`)
	f.Add(`{"g":[1e+99,1],"lf":[1,1],"fr":[1,1]}`)
	f.Fuzz(func(t *testing.T, text string) {
		a, err := s.decodeAnswer(text, []int{1, 0})
		if err == nil && (len(a.Grants) != 2 || len(a.Left) != 2 || len(a.Fair) != 2) {
			t.Errorf("%q: %+v", text, a)
		}
	})
}

func TestNamesAreForgottenBeforeTheyAreTooMany(t *testing.T) {
	n := newNames(func(name string) string { return "hidden " + name })
	for i := range 3 * maxNames {
		name := strconv.Itoa(i)
		if hidden := n.hide(name); hidden != "hidden "+name || n.reveal(hidden) != name {
			t.Fatalf("%q is hidden as %q, which is %q", name, hidden, n.reveal(hidden))
		}
		if len(n.hidden) > maxNames || len(n.known) > maxNames {
			t.Fatalf("%d and %d names are kept", len(n.hidden), len(n.known))
		}
	}
	if got := n.reveal("hidden 0"); got != OtherCaller {
		t.Errorf("a forgotten name is %q", got)
	}
}

// No part of the scripts is forgotten.
func TestScriptsAreWhole(t *testing.T) {
	entries, err := lua.ReadDir("lua")
	if err != nil {
		t.Fatal(err)
	}
	if want := len(decision()) + 3; len(entries) != want {
		t.Errorf("%d files in lua, %d are used", len(entries), want)
	}
	all := newScripts(serverClock)
	if all.acquire.Hash() == all.view.Hash() || all.view.Hash() == all.block.Hash() {
		t.Error("two scripts are the same")
	}
}
