package traces_test

import (
	"maps"
	"testing"
	"time"

	"iqgateway/test/traces"
)

// exchange is the spans of a request that was sent again with another token.
func exchange() []traces.Span {
	const trace = "000000000000000000000000000000aa"
	at := func(n int64) time.Time { return time.Unix(n, 0) }
	span := func(id, name, kind string, begin, end int64, attributes map[string]any) traces.Span {
		parent := "00000000000000aa"
		if kind == "server" {
			parent = ""
		}
		return traces.Span{Trace: trace, ID: id, Parent: parent, Name: name, Kind: kind, Start: at(begin), End: at(end), Attributes: attributes}
	}
	token := func(n int64) map[string]any { return map[string]any{"iqgw.token.generation": n} }
	sent := func(status int64) map[string]any {
		return map[string]any{"server.address": "127.0.0.1", "server.port": int64(8081), "http.response.status_code": status}
	}
	return []traces.Span{
		span("00000000000000aa", "GET /x", "server", 0, 20, nil),
		span("00000000000000b1", "token.get", "internal", 1, 2, token(3)),
		span("00000000000000b2", "quota.acquire", "internal", 2, 4, map[string]any{
			"iqgw.quota.wait": 2.0, "iqgw.quota.limit": int64(10), "iqgw.quota.remaining": int64(10),
		}),
		span("00000000000000b3", "GET", "client", 4, 8, sent(401)),
		span("00000000000000b4", "token.get", "internal", 9, 10, token(4)),
		span("00000000000000b5", "GET", "client", 11, 15, sent(200)),
	}
}

// What cannot be is told.
func TestCheck(t *testing.T) {
	const origin = "127.0.0.1:8081"
	if err := traces.Check(exchange(), origin); err != nil {
		t.Fatal(err)
	}
	at := func(n int64) time.Time { return time.Unix(n, 0) }
	says := func(name string, value any) func(*traces.Span) {
		return func(s *traces.Span) {
			s.Attributes = maps.Clone(s.Attributes)
			s.Attributes[name] = value
		}
	}
	const token, quota, attempt, replayed = 1, 2, 3, 4
	for name, tt := range map[string]struct {
		span   int
		change func(*traces.Span)
	}{
		"begins before its parent":  {attempt, func(s *traces.Span) { s.Start = at(-1) }},
		"ends after its parent":     {attempt, func(s *traces.Span) { s.End = at(21) }},
		"ends before it begins":     {attempt, func(s *traces.Span) { s.Start, s.End = at(8), at(4) }},
		"has its parent's id":       {attempt, func(s *traces.Span) { s.ID = s.Parent }},
		"has no parent":             {attempt, func(s *traces.Span) { s.Parent = "00000000000000cc" }},
		"is of another trace":       {attempt, func(s *traces.Span) { s.Trace = "000000000000000000000000000000ab" }},
		"has an id of zeros":        {attempt, func(s *traces.Span) { s.ID = "0000000000000000" }},
		"has lost attributes":       {attempt, func(s *traces.Span) { s.Dropped = 1 }},
		"links to nothing":          {attempt, func(s *traces.Span) { s.Links = []traces.Link{{}} }},
		"was well and says why":     {attempt, func(s *traces.Span) { s.Status, s.Message = "unset", "reset" }},
		"says nothing":              {attempt, says("a", "")},
		"went to another port":      {attempt, says("server.port", int64(8082))},
		"went to another host":      {attempt, says("server.address", "localhost")},
		"waits backwards":           {quota, says("iqgw.quota.wait", -1.0)},
		"waits longer than it took": {quota, says("iqgw.quota.wait", 2.5)},
		"took longer than it waits": {quota, says("iqgw.quota.wait", 1.5)},
		"leaves more than there is": {quota, says("iqgw.quota.remaining", int64(11))},
		"has no token":              {token, says("iqgw.token.generation", int64(0))},
		"has the refused token":     {replayed, says("iqgw.token.generation", int64(3))},
		"has an older token":        {replayed, says("iqgw.token.generation", int64(2))},
	} {
		spans := exchange()
		tt.change(&spans[tt.span])
		if traces.Check(spans, origin) == nil {
			t.Errorf("a span that %s passes", name)
		}
	}
}
