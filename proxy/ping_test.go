package proxy_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

func TestPing(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   string // the version
		failed exchange.ProblemType
	}{
		"documented":     {200, `{"ApplicationVersion":"2.0.0.1155","DbVersion":17}`, "2.0.0.1155", ""},
		"other spelling": {200, `{"applicationVersion":"1.3"}`, "1.3", ""},
		"no version":     {200, `{"ok":true}`, "", ""},
		"no JSON":        {200, "pong", "", ""},
		"another type":   {200, `{"ApplicationVersion":7}`, "", ""},
		"an essay":       {200, `{"ApplicationVersion":"` + strings.Repeat("x", 101) + `"}`, "", ""},
		"too long":       {200, `{"ApplicationVersion":"1.3","x":"` + strings.Repeat("x", 64<<10) + `"}`, "", ""},
		"ill":            {503, `{"ApplicationVersion":"1.3"}`, "1.3", ""},
		"refused":        {401, "", "", exchange.UpstreamCredentialRejected},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.RequestURI != "/crm/ping" || r.Header.Get("Via") == "" || r.Header.Get("User-Agent") != "" {
					t.Errorf("%s %s %v", r.Method, r.RequestURI, r.Header)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()
			upstream, err := url.Parse(server.URL + "/crm")
			if err != nil {
				t.Fatal(err)
			}
			ex := &exchange.Exchange{Target: &exchange.Target{Service: "crm", Upstream: upstream, Path: "/ping", Authentication: "bearer"}}
			pong, err := proxy.Ping(t.Context(), server.Client().Transport, ex)
			problem, _ := errors.AsType[*exchange.Problem](err)
			if tt.failed == "" && err != nil || tt.failed != "" && (problem == nil || problem.Type != tt.failed) {
				t.Errorf("error %v, want %q", err, tt.failed)
			}
			if pong.Status != tt.status || pong.Version != tt.want || pong.Took <= 0 {
				t.Errorf("%+v", pong)
			}
		})
	}
}
