package proxy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"iqgateway/proxy"
)

// TestFailuresOfMarkedCalls are told in the words of attempts.
func TestFailuresOfMarkedCalls(t *testing.T) {
	up := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
		<-r.Context().Done()
	}))
	t.Cleanup(up.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	trusting := up.Client().Transport.(*http.Transport) //nolint:forcetypeassert // of httptest
	hasty := trusting.Clone()
	hasty.ResponseHeaderTimeout = short
	t.Cleanup(hasty.CloseIdleConnections)
	for want, tt := range map[proxy.FailureKind]struct {
		url   string
		next  http.RoundTripper
		limit func(context.Context) (context.Context, context.CancelFunc)
	}{
		proxy.FailedReset:      {url: up.URL + "/cut", next: trusting},
		proxy.FailedRefused:    {url: gone.URL, next: trusting},
		proxy.FailedTLS:        {url: up.URL, next: &http.Transport{DisableKeepAlives: true}},
		proxy.FailedHeaderTime: {url: up.URL, next: hasty},
		proxy.FailedDeadline: {url: up.URL, next: trusting, limit: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, short)
		}},
		proxy.FailedCallerGone: {url: up.URL, next: trusting, limit: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}},
	} {
		t.Run(string(want), func(t *testing.T) {
			ctx := t.Context()
			if tt.limit != nil {
				limited, cancel := tt.limit(ctx)
				defer cancel()
				ctx = limited
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, tt.url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			res, err := proxy.Marked(tt.next).RoundTrip(req)
			if err == nil {
				_ = res.Body.Close()
				t.Fatal(res.Status)
			}
			told, ok := errors.AsType[interface {
				error
				Failure() string
			}](err)
			if !ok || told.Failure() != string(want) {
				t.Errorf("%v is told as %v", err, told)
			}
		})
	}
}
