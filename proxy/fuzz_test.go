package proxy_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/rawcase"
	"iqgateway/proxy"
)

// FuzzPath: whatever is accepted goes on byte for byte, has no dot segment in
// any encoding, and is no closed path in another spelling.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"/crm/v1/Companies(1)/Customers(a0b1)?$filter=Name%20eq%20'O%27Neil'&$top=5", `/crm/v1/Items(SourceId="g")?`,
		"/dataconnect/logout", "/dataconnect/%6cOGOUT;a/", "/dataconnect/%256cogout", "/dataconnect/x/..;p/logout",
		"/dataconnect/a%2f..%2flogout", "/dataconnect/%c0%aelogout", "/sandbox/dataconnect/logout%20", "/dataconnect/l\u017fogout",
		"/api/taxes/v1/admin/x", "/api/%74axes", "/api/;x/taxes", "/taxes/v1//admin", "//crm/x", "/crm//x", "http://a/crm/x", "*", "/crm/%zz", "/crm/x?a=%zz",
	} {
		f.Add(seed)
	}
	router := routes(f)
	f.Fuzz(func(t *testing.T, target string) {
		ex := &exchange.Exchange{Caller: &exchange.Caller{Environments: []string{"sandbox"}}}
		if !accepted(router, ex, target) {
			return
		}
		got := ex.Target
		back := got.Prefix + got.Path
		if got.HasQuery {
			back += "?" + got.RawQuery
		}
		if back != target && back != target+"/" && strings.Replace(back, "/?", "?", 1) != target {
			t.Errorf("%q became %q", target, back)
		}
		for _, read := range readings(got.Path) {
			if hasDotSegment(read) {
				t.Errorf("%q is read as %q", target, read)
			}
			if closed(got.Service, read) {
				t.Errorf("%q reaches %q of %s", target, read, got.Service)
			}
		}
	})
}

// accepted runs the stages that judge a target.
func accepted(router *proxy.Router, ex *exchange.Exchange, target string) bool {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RequestURI, r.Host = target, "gw.test"
	w := httptest.NewRecorder()
	routed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, query, has := strings.Cut(r.RequestURI, "?")
		got, problem := router.Resolve(proxy.Request{
			Method: r.Method, Path: path, RawQuery: query, HasQuery: has, Environments: ex.Caller.Environments,
		})
		if problem == nil {
			ex.Target = &got
		}
	})
	proxy.Sanitize(proxy.SanitizeOptions{Refuse: refusal})(routed).ServeHTTP(w, r.WithContext(exchange.With(r.Context(), ex)))
	return ex.Target != nil
}

// readings are what servers of different habits take a path for.
func readings(path string) []string {
	all := []string{path}
	for range 3 {
		decoded, err := url.PathUnescape(path)
		if err != nil || decoded == path {
			break
		}
		path = decoded
		all = append(all, path)
	}
	for _, p := range all {
		var bare []string
		for segment := range strings.SplitSeq(p, "/") {
			segment, _, _ = strings.Cut(segment, ";")
			bare = append(bare, strings.TrimRight(segment, " "))
		}
		all = append(all, strings.Join(bare, "/"))
	}
	return all
}

func hasDotSegment(path string) bool {
	for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// closed is the rules of [routes], read as IIS would: without case, empty
// segments removed.
func closed(service, path string) bool {
	var segments []string
	for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' }) {
		segments = append(segments, strings.ToLower(segment))
	}
	whole := "/" + strings.Join(segments, "/")
	switch service {
	case "dataconnect":
		return whole == "/logout"
	case "taxes":
		return strings.HasPrefix(whole, "/v1/admin/")
	case "api":
		return whole == "/taxes" || strings.HasPrefix(whole, "/taxes/")
	}
	return false
}

// FuzzServer: whatever bytes a client sends, each request that reaches the
// upstream was asked for in these bytes, and carries the gateway's token, its
// Host, and nothing of the caller's credentials.
func FuzzServer(f *testing.F) {
	front := newFront(f, frontOptions{Plain: true, Sanitize: func(o *proxy.SanitizeOptions) {
		o.BodyIdleTimeout, o.WriteIdleTimeout = time.Second, time.Second
	}})
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		front.Upstream.Reset()
		message = bytes.ReplaceAll(message, []byte("KEY"), []byte(front.Key))
		answers := exchangeBytes(t, front.Addr, message)
		if bytes.Contains(answers, []byte(front.Token)) {
			t.Error("the token came back")
		}
		received, err := front.Upstream.Settle(patience)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range received {
			checkReceived(t, front, message, r)
		}
	})
}

// seeds are the messages of the raw cases.
func seeds(f *testing.F) [][]byte {
	f.Helper()
	cases, err := rawcase.Load(filepath.Join("testdata", "raw"))
	if err != nil {
		f.Fatal(err)
	}
	var all [][]byte
	for _, c := range cases {
		for _, s := range c.Steps {
			message, err := s.Bytes(map[string]string{"host": gatewayHost, "native": nativeHost, "key": "KEY", "nonce": "n"})
			if err == nil && len(message) < 4096 {
				all = append(all, message)
			}
		}
	}
	return all
}

func exchangeBytes(t *testing.T, addr string, message []byte) []byte {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = c.Write(message) // the server may close before it has read all
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	answers, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the connection stays open after the client's end: %v", err)
	}
	return answers
}

func checkReceived(t *testing.T, f *front, message []byte, r rawcase.Received) {
	t.Helper()
	if bytes.Contains(r.Raw, []byte(f.Key)) {
		t.Errorf("%q: the caller's key went upstream", r.Line)
	}
	if !r.Complete {
		return
	}
	head, _, _ := bytes.Cut(r.Raw, []byte("\r\n\r\n"))
	head = append(head, "\r\n"...)
	for _, line := range []string{"\r\nAuthorization: Bearer " + f.Token + "\r\n", "\r\nHost: "} {
		if bytes.Count(head, []byte(line)) != 1 {
			t.Errorf("%q: not once %q\n%s", r.Line, line, head)
		}
	}
	if bytes.Count(bytes.ToLower(head), []byte("\nauthorization")) != 1 {
		t.Errorf("%q: more than one Authorization\n%s", r.Line, head)
	}
	method, rest, _ := strings.Cut(r.Line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if version != "HTTP/1.1" {
		t.Errorf("%q is no request line of the gateway", r.Line)
	}
	if !asked(message, method, target) {
		t.Errorf("%q was not asked for", r.Line)
	}
}

// asked: the message has the method and the target with one of the prefixes.
func asked(message []byte, method, target string) bool {
	target = strings.TrimPrefix(target, "/dc")
	prefixes := []string{"/crm", "/customers", "/catalogs", "/dataconnect"}
	if bytes.Contains(bytes.ToLower(message), []byte(nativeHost)) {
		prefixes = append(prefixes, "")
	}
	for _, prefix := range prefixes {
		for _, end := range []string{target, strings.TrimSuffix(target, "/"), strings.Replace(target, "/?", "?", 1)} {
			if bytes.Contains(message, fmt.Appendf(nil, "%s ", method)) && bytes.Contains(message, []byte(prefix+end)) {
				return true
			}
		}
	}
	return false
}
