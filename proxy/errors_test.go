package proxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
	"iqgateway/internal/goldentest"
	"iqgateway/proxy"
)

// refuse renders err for a request of method.
func refuse(t *testing.T, o proxy.ErrorsOptions, r *http.Request, err error) (*httptest.ResponseRecorder, *exchange.Exchange) {
	t.Helper()
	ex := &exchange.Exchange{ID: "r1-7", Trace: exchange.Trace{ID: exchange.TraceID{0x4b, 0xf9}}}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Encoding", "gzip") // left by an earlier stage
	w.Header().Set("Etag", `"1"`)
	proxy.NewErrors(o).Refuse(w, r.WithContext(exchange.With(r.Context(), ex)), err)
	return w, ex
}

func getRequest(t *testing.T) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/crm/x", nil)
}

func TestRefusal(t *testing.T) {
	p := exchange.Refuse(exchange.TokenUnavailable, "no token\x1b[2J for \"retail\" \u2028né\n").Because(errors.New("CAN_PW"))
	p.RetryAfter = 1500 * time.Millisecond
	p.Outcome = exchange.NotExecuted
	p.Extra = map[string]any{"choices": []string{"rc", "sandbox"}, "status": 200, "detail": "forged"}
	w, ex := refuse(t, proxy.ErrorsOptions{
		Base: "https://iq.example/errors",
		TraceURL: func(ex *exchange.Exchange, status int) string {
			return fmt.Sprintf("https://traces.example/%s?status=%d", ex.Trace.ID.String()[:4], status)
		},
	}, getRequest(t), fmt.Errorf("token: %w", p))

	want := http.Header{
		"Content-Type": {"application/problem+json"}, "Content-Length": {fmt.Sprint(w.Body.Len())},
		"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "Via": {"1.1 iqgateway"},
		"X-Request-Id": {"r1-7"}, "Retry-After": {"2"},
		"Proxy-Status": {`iqgateway; error=proxy_internal_error; details="no token [2J for \"retail\"  n? "`},
	}
	if diff := cmp.Diff(want, w.Header()); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	const body = `{"type":"https://iq.example/errors#token-unavailable","title":"No upstream token","status":503,` +
		`"detail":"no token [2J for \"retail\"  né ","instance":"r1-7","trace_id":"4bf90000000000000000000000000000",` +
		`"trace_url":"https://traces.example/4bf9?status=503","retry_after":2,` +
		`"outcome":"not_executed","choices":["rc","sandbox"]}` + "\n"
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != body {
		t.Errorf("%d\n got %s\nwant %s", w.Code, w.Body, body)
	}
	if ex.Problem != p {
		t.Error("the exchange does not know its problem")
	}
}

func TestRefusalOfOtherErrors(t *testing.T) {
	tests := map[string]struct {
		err    error
		status int
		kind   exchange.ProblemType
	}{
		"any error":        {errors.New("CAN_PW in /etc/secret"), 500, exchange.InternalError},
		"deadline":         {fmt.Errorf("quota: %w", context.DeadlineExceeded), 504, exchange.UpstreamTimeout},
		"caller's body":    {&proxy.ClientBodyError{Type: exchange.MalformedRequest, Err: errors.New("CAN_PW")}, 400, exchange.MalformedRequest},
		"caller too slow":  {&proxy.ClientBodyError{Type: exchange.RequestTimeout, Err: errors.New("CAN_PW")}, 408, exchange.RequestTimeout},
		"nil is a mistake": {nil, 500, exchange.InternalError},
	}
	for name, tt := range tests {
		w, ex := refuse(t, proxy.ErrorsOptions{}, getRequest(t), tt.err)
		if w.Code != tt.status || ex.Problem.Type != tt.kind {
			t.Errorf("%s: %d %s", name, w.Code, ex.Problem.Type)
		}
		if dump := fmt.Sprint(w.Header(), w.Body); strings.Contains(dump, "CAN_PW") {
			t.Errorf("%s: the cause is shown: %s", name, dump)
		}
	}
}

func TestRefusalFields(t *testing.T) {
	body := func(method, proto string, r *strings.Reader) *http.Request {
		req := httptest.NewRequestWithContext(t.Context(), method, "/x", r)
		req.ProtoMajor = int(proto[0] - '0')
		return req
	}
	unauthenticated := exchange.Refuse(exchange.CallerUnauthenticated, "")
	method := exchange.Refuse(exchange.MethodNotAllowed, "")
	method.Header = http.Header{"allow": {"GET"}}
	closing := exchange.Refuse(exchange.MalformedRequest, "")
	closing.Close = true
	tunnel := exchange.Refuse(exchange.ConnectNotSupported, "")
	tunnel.Close = true
	tests := map[string]struct {
		request *http.Request
		problem *exchange.Problem
		field   string
		want    []string
	}{
		"challenge":            {getRequest(t), unauthenticated, "Www-Authenticate", []string{`Bearer realm="iqgateway"`}},
		"no challenge":         {getRequest(t), method, "Www-Authenticate", nil},
		"allow":                {getRequest(t), method, "Allow", []string{"GET"}},
		"no retry":             {getRequest(t), method, "Retry-After", nil},
		"unread body":          {body("POST", "1", strings.NewReader("a")), method, "Connection", []string{"close"}},
		"unread body, HTTP/2":  {body("POST", "2", strings.NewReader("a")), method, "Connection", nil},
		"no body":              {getRequest(t), method, "Connection", nil},
		"close":                {body("GET", "1", strings.NewReader("")), closing, "Connection", []string{"close"}},
		"close, HTTP/2":        {body("GET", "2", strings.NewReader("")), closing, "Connection", nil},
		"tunnel, HTTP/2":       {body("CONNECT", "2", strings.NewReader("")), tunnel, "Connection", []string{"close"}},
		"nothing of another's": {getRequest(t), method, "Content-Encoding", nil},
		"no stale validator":   {getRequest(t), method, "Etag", nil},
	}
	for name, tt := range tests {
		w, _ := refuse(t, proxy.ErrorsOptions{}, tt.request, tt.problem)
		if diff := cmp.Diff(tt.want, w.Header().Values(tt.field)); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", name, tt.field, diff)
		}
	}
}

func TestRefusalOfHeadHasNoBody(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/x", nil)
	w, _ := refuse(t, proxy.ErrorsOptions{}, r, exchange.Refuse(exchange.UnknownService, "x"))
	if w.Body.Len() != 0 || w.Header().Get("Content-Length") == "0" {
		t.Errorf("%d bytes, length %s", w.Body.Len(), w.Header().Get("Content-Length"))
	}
}

func TestNobodyIsAnsweredWhoLeft(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	leave()
	ex := &exchange.Exchange{}
	w := httptest.NewRecorder()
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
			t.Errorf("panic value %v", v)
		}
		if !errors.Is(ex.Aborted, proxy.ErrCallerGone) || ex.Problem != nil || w.Body.Len() > 0 {
			t.Errorf("aborted %v, problem %v, %d bytes", ex.Aborted, ex.Problem, w.Body.Len())
		}
	}()
	proxy.NewErrors(proxy.ErrorsOptions{}).Refuse(w, getRequest(t).WithContext(exchange.With(ctx, ex)), errors.New("x"))
}

func TestDocs(t *testing.T) {
	docs := proxy.Docs()
	goldentest.Compare(t, filepath.Join("..", "docs", "errors.md"), string(docs))
	for _, s := range exchange.Specs() {
		if !bytes.Contains(docs, []byte("\n## "+string(s.Type)+"\n")) {
			t.Errorf("%s has no section", s.Type)
		}
	}
	runbook, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	linked := regexp.MustCompile(`\[(\w+)\]\(runbook\.md#(\w+)\)`).FindAllSubmatch(docs, -1)
	if len(linked) == 0 {
		t.Error("nothing leads to the runbook")
	}
	for _, link := range linked {
		if !bytes.Contains(runbook, []byte("\n### "+string(link[1])+"\n")) || !strings.EqualFold(string(link[1]), string(link[2])) {
			t.Errorf("%s leads nowhere", link[0])
		}
	}
}

// Whatever a problem says, header and document stay well-formed.
func FuzzRefuse(f *testing.F) {
	for _, seed := range []string{"", "plain", `quo"te \ back`, "line\r\nSet-Cookie: s=1", "\x00\xff\u2028\u202e", strings.Repeat("é", 2000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, detail string) {
		p := &exchange.Problem{Type: exchange.UpstreamTimeout, Detail: detail, Extra: map[string]any{detail: detail}}
		w, _ := refuse(t, proxy.ErrorsOptions{}, getRequest(t), p)
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("no JSON: %q", w.Body)
		}
		status := w.Header().Get("Proxy-Status")
		for _, c := range []byte(status) {
			if c < ' ' || c > '~' {
				t.Fatalf("byte %#x in %q", c, status)
			}
		}
		if rest, ok := strings.CutPrefix(status, `iqgateway; error=http_response_timeout; details="`); ok {
			rest = strings.ReplaceAll(strings.ReplaceAll(rest, `\\`, ""), `\"`, "")
			if strings.IndexByte(rest, '"') != len(rest)-1 {
				t.Errorf("the string ends early in %q", status)
			}
		}
	})
}
