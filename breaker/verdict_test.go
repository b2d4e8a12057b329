package breaker

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

func TestVerdict(t *testing.T) {
	tests := map[int][2]Result{ // of a request, of a probe
		200: {Success, Success}, 204: {Success, Success}, 304: {Success, Success},
		400: {Excluded, Success}, 404: {Excluded, Success}, 409: {Excluded, Success}, 412: {Excluded, Success},
		401: {Excluded, Excluded}, 403: {Excluded, Excluded}, 408: {Excluded, Excluded}, 429: {Excluded, Excluded},
		500: {Failure, Failure}, 502: {Failure, Failure}, 503: {Failure, Failure}, 504: {Failure, Failure}, 599: {Failure, Failure},
		501: {Excluded, Success}, 505: {Excluded, Success}, 508: {Excluded, Success},
	}
	for status, want := range tests {
		for i, probe := range []bool{false, true} {
			if got := verdict(status, true, probe); got != want[i] {
				t.Errorf("%d (probe %v) is %s, want %s", status, probe, got, want[i])
			}
		}
		if status >= 500 {
			for i, want := range []Result{Excluded, Success} {
				if got := verdict(status, false, i == 1); got != want {
					t.Errorf("%d (probe %v) counts as %s where 5xx does not count", status, i == 1, got)
				}
			}
		}
	}
}

func TestKindsThatCount(t *testing.T) {
	for kind, of := range map[Kind]Failures{Unreachable: {Connect: true}, Broken: {Connect: true}, TimedOut: {Timeout: true}} {
		rest := Failures{Status: true, Timeout: !of.Timeout, Connect: !of.Connect}
		if !of.counts(kind) || rest.counts(kind) || (Failures{}).counts(kind) {
			t.Errorf("%s: %v, %v", kind, of.counts(kind), rest.counts(kind))
		}
	}
	if errAll.counts(NotCounted) {
		t.Error("what is nobody's fault counts")
	}
}

// tell sends requests until a breaker that needs one failure has judged one.
func tell(t *testing.T, u upstreamFunc, path string, read func(io.Reader) error) (well, ill, excluded int) {
	t.Helper()
	up := usual()
	up.Settings.MinRequests = 1000
	bs := New(Options{Hooks: Hooks{Counted: func(c Counted) {
		switch c.Result {
		case Success:
			well++
		case Failure:
			ill++
		case Excluded:
			excluded++
		}
	}}})
	set, err := bs.Use([]Upstream{up})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Release()
	req, _ := request(t.Context(), path)
	resp, err := set.Permit(StageOptions{Judge: judge})(u).RoundTrip(req)
	if err == nil {
		_ = read(resp.Body)
		_ = resp.Body.Close()
		_ = resp.Body.Close()
	}
	return well, ill, excluded
}

func all(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }

func none(io.Reader) error { return nil }

func broken(status int, kind Kind) upstreamFunc {
	return func(*http.Request) (*http.Response, error) {
		resp := answer(status, "")
		resp.ContentLength = 100
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("some"), iotest.ErrReader(kinded{kind})))
		return resp, nil
	}
}

func TestWhatCounts(t *testing.T) {
	long := strings.Repeat("x", maxSight)
	mistaken := func(body, encoding string) upstreamFunc {
		return func(*http.Request) (*http.Response, error) {
			resp := answer(500, body)
			resp.Header.Set("Content-Encoding", encoding)
			return resp, nil
		}
	}
	tests := map[string]struct {
		upstream upstreamFunc
		path     string
		read     func(io.Reader) error
		want     Result
	}{
		"a good answer":                      {always(200), "/", all, Success},
		"one without a body":                 {func(*http.Request) (*http.Response, error) { return answer(204, ""), nil }, "/", none, Success},
		"one that the caller leaves":         {always(200), "/", none, Excluded},
		"one that breaks off":                {broken(200, Broken), "/", all, Failure},
		"one that stalls":                    {broken(200, TimedOut), "/", all, Failure},
		"one whose caller is gone":           {broken(200, NotCounted), "/", all, Excluded},
		"no connection":                      {failing(Unreachable), "/", all, Failure},
		"no header in time":                  {failing(TimedOut), "/", all, Failure},
		"a reset":                            {failing(Broken), "/", all, Failure},
		"the caller's own doing":             {failing(NotCounted), "/", all, Excluded},
		"404":                                {always(404), "/", all, Excluded},
		"429":                                {always(429), "/", all, Excluded},
		"500":                                {always(500), "/", all, Failure},
		"500 that nobody reads":              {always(500), "/", none, Failure},
		"501":                                {always(501), "/", all, Excluded},
		"a known mistake":                    {mistaken(`{"Message":"Entity is NOT related to company"}`, ""), "/mistaken/1", all, Excluded},
		"its text on another path":           {mistaken("not related", ""), "/other", all, Failure},
		"another text on its path":           {mistaken("timeout", ""), "/mistaken/1", all, Failure},
		"its text too late":                  {mistaken(long+"not related", ""), "/mistaken/1", all, Failure},
		"its text at the end of what counts": {mistaken(long[:maxSight-11]+"not related and more", ""), "/mistaken/1", all, Excluded},
		"its text, compressed":               {mistaken(compressed(t, "gzip", "it is not related"), "gzip"), "/mistaken/1", all, Excluded},
		"its text, deflated":                 {mistaken(compressed(t, "deflate", "it is not related"), "deflate"), "/mistaken/1", all, Excluded},
		"its text, deflated bare":            {mistaken(compressed(t, "flate", "it is not related"), "deflate"), "/mistaken/1", all, Excluded},
		"another text, compressed":           {mistaken(compressed(t, "gzip", "timeout"), "gzip"), "/mistaken/1", all, Failure},
		"one that cannot be read":            {mistaken("…", "br"), "/mistaken/1", all, Excluded},
		"one that is no gzip":                {mistaken("timeout", "gzip"), "/mistaken/1", all, Excluded},
		"its answer breaks off":              {broken(500, Broken), "/mistaken/1", all, Failure},
		"its answer stalls":                  {broken(500, TimedOut), "/mistaken/1", all, Failure},
		"nobody reads it":                    {mistaken("timeout", ""), "/mistaken/1", none, Excluded},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			well, ill, excluded := tell(t, tt.upstream, tt.path, tt.read)
			got := map[Result]int{Success: well, Failure: ill, Excluded: excluded}
			if got[tt.want] != 1 || well+ill+excluded != 1 {
				t.Errorf("%v, want one %s", got, tt.want)
			}
		})
	}
}

func compressed(t *testing.T, how, text string) string {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch how {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	default:
		w, _ = flate.NewWriter(&out, flate.BestSpeed)
	}
	_, err := io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// What is looked at reaches the caller byte for byte.
func TestBodiesPassWhole(t *testing.T) {
	text := strings.Repeat("0123456789", 2000)
	set, err := New(Options{}).Use([]Upstream{usual()})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Release()
	for _, status := range []int{200, 500} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "with its end": iotest.DataErrReader} {
			resp := answer(status, "")
			resp.Body, resp.ContentLength = io.NopCloser(wrap(strings.NewReader(text))), int64(len(text))
			req, _ := request(t.Context(), "/mistaken/1")
			got, err := set.Permit(StageOptions{})(upstreamFunc(func(*http.Request) (*http.Response, error) { return resp, nil })).RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			var read strings.Builder
			if _, err := io.Copy(&read, got.Body); err != nil || read.String() != text {
				t.Errorf("%d, %s: %d bytes, %v", status, name, read.Len(), err)
			}
			_ = got.Body.Close()
		}
	}
}

func TestAPanicGivesThePermitBack(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.become(always(500))
		r.many(20, "/")
		rest(r.List()[0].OpenFor)
		r.become(func(*http.Request) (*http.Response, error) { panic("a defect") })
		for range 3 { // each has a slot
			func() {
				defer func() {
					if v := recover(); v != "a defect" {
						t.Errorf("recovered %v", v)
					}
				}()
				_, err := r.send("/")
				t.Errorf("no panic: %v", err)
			}()
		}
		r.become(always(200))
		r.passes()
		r.is(Closed)
	})
}

func TestTheExchangeTellsTheState(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		states := []string{exchange.BreakerClosed}
		see := func() string {
			req, ex := request(r.Context(), "/")
			if resp, err := r.stack.RoundTrip(req); err == nil {
				_ = all(resp.Body)
				_ = resp.Body.Close()
			}
			return ex.Breaker
		}
		got := []string{see()}
		r.become(always(500))
		r.many(20, "/")
		states, got = append(states, exchange.BreakerOpened), append(got, see())
		rest(r.List()[0].OpenFor)
		states, got = append(states, exchange.BreakerHalfOpen), append(got, see())
		if strings.Join(got, " ") != strings.Join(states, " ") {
			t.Errorf("%v, want %v", got, states)
		}
	})
}

func TestRequestsOfNoUpstream(t *testing.T) {
	set, err := New(Options{}).Use(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Release()
	for name, stage := range map[string]func(StageOptions) func(http.RoundTripper) http.RoundTripper{"gate": set.Gate, "permit": set.Permit} {
		req, ex := request(t.Context(), "/")
		body := &closeCounter{}
		req.Body = body
		if _, err := stage(StageOptions{})(always(200)).RoundTrip(req); err == nil || body.closed != 1 {
			t.Errorf("%s: %v, closed %d times", name, err, body.closed)
		}
		ex.Target = nil
		if _, err := stage(StageOptions{})(always(200)).RoundTrip(req); err == nil {
			t.Errorf("%s: a request that was not routed passes", name)
		}
	}
}

type closeCounter struct{ closed int }

func (c *closeCounter) Read([]byte) (int, error) { return 0, io.EOF }
func (c *closeCounter) Close() error             { c.closed++; return nil }

// Whatever an upstream sends, looking at it finds nothing but what is there.
func FuzzMistakes(f *testing.F) {
	f.Add("not related", "", 5)
	f.Add("\x1f\x8b\x08\x00", "gzip", 1)
	f.Add("x\x9c", "deflate", 2)
	f.Add("…", "br", 3)
	f.Fuzz(func(t *testing.T, body, encoding string, step int) {
		s := &sight{texts: []string{"Not Related"}, encoding: encoding}
		step = max(1, min(step, 5000))
		for rest := body; rest != ""; {
			n := min(step, len(rest))
			s.add([]byte(rest[:n]))
			rest = rest[n:]
		}
		if len(s.seen) > maxSight || string(s.seen) != body[:min(len(body), maxSight)] {
			t.Errorf("%d bytes seen of %d", len(s.seen), len(body))
		}
		got := s.verdict()
		if strings.EqualFold(encoding, "") {
			there := bytes.Contains(bytes.ToLower(s.seen), []byte("not related"))
			if there != (got == Excluded) {
				t.Errorf("%q is %s", body, got)
			}
		}
	})
}

func TestMistakesOfAPath(t *testing.T) {
	known := []Mistake{
		{Path: pathpattern.MustParse("/a/{id}"), Status: 500, Body: "one"},
		{Path: pathpattern.MustParse("/a/**"), Status: 500, Body: "two"},
		{Path: pathpattern.MustParse("/b"), Status: 503},
	}
	tests := map[string]struct {
		status    int
		candidate bool
		texts     string
	}{
		"/a/1": {500, true, "one two"}, "/a/1/2": {500, true, "two"}, "/b": {503, true, ""}, "/c": {500, false, ""},
	}
	for path, tt := range tests {
		candidate, texts := mistakes(known, path, tt.status)
		if candidate != tt.candidate || strings.Join(texts, " ") != tt.texts {
			t.Errorf("%s: %v, %v", path, candidate, texts)
		}
	}
	if candidate, _ := mistakes(known, "/a/1", 502); candidate {
		t.Error("another status is a candidate")
	}
}
