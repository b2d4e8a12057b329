package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/auth"
)

// adminTokenFlags have a gateway take changes.
func adminTokenFlags() []string { return []string{"--set", "admin.token=" + adminToken} }

// rewrite changes the configuration file of a rig.
func (r *rig) rewrite(t testing.TB, replacements ...string) {
	t.Helper()
	old, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(replacements...).Replace(string(old))
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// order asks the admin server to change something.
func (r *rig) order(t testing.TB, path, body string) answer {
	t.Helper()
	return r.ask(t, http.MethodPost, path, body, func(http.Header) {})
}

// ask asks the admin server as an operator, over a connection of its own; edit
// changes the fields of the request.
func (r *rig) ask(t testing.TB, method, path, body string, edit func(http.Header)) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.Admin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + adminToken}}
	edit(req.Header)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: r.client.CheckRedirect}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(text)}
}

// countConnections has the rig's client count the connections that it makes.
func (r *rig) countConnections(http2 bool) *atomic.Int32 {
	var dialled atomic.Int32
	transport := r.client.Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = http2
	if !http2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		transport.TLSClientConfig.NextProtos = nil
	}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	r.client.Transport = transport
	return &dialled
}

// reload has the rig's gateway read its configuration again.
func (r *rig) reload(t testing.TB) reloaded {
	t.Helper()
	var done reloaded
	a := r.order(t, pathConfigReload, "{}").want(t, http.StatusOK)
	if err := json.Unmarshal([]byte(a.text), &done); err != nil {
		t.Fatalf("%v in %s", err, a.text)
	}
	return done
}

// SEC-42: a key that a reload has revoked ends at once, whatever is stored and
// whichever connections are open.
func TestReloadRevokesAKey(t *testing.T) {
	t.Parallel()
	key, digest := auth.NewKey()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{flags: adminTokenFlags()})
			dialled := r.countConnections(http2)
			if got := r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK).Proto; got != name {
				t.Fatalf("over %s", got)
			}
			hit := r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
			if got := hit.Header.Get("Cache-Status"); !strings.Contains(got, "; hit") {
				t.Fatalf("Cache-Status %q", got)
			}
			r.rewrite(t, digestOf(r.key), digest)
			if done := r.reload(t); !slices.Equal(done.Changed, []string{"callers.storefront.keys"}) || done.Hash == done.Previous {
				t.Errorf("%+v", done)
			}
			r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusUnauthorized)
			r.key = key
			again := r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
			if got := again.Header.Get("Cache-Status"); !strings.Contains(got, "; hit") {
				t.Errorf("what was stored is gone: Cache-Status %q", got)
			}
			if n := dialled.Load(); n != 1 {
				t.Errorf("%d connections", n)
			}
			if n := len(r.calls("catalogs")); n != 1 {
				t.Errorf("%d upstream calls", n)
			}
		})
	}
}

// SEC-42: so does a rule that a reload has taken away, and it comes back with
// the rule.
func TestSEC42ReloadTakesARuleAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	r.rewrite(t, `services: {"*": write}`, "services: {crm: read}")
	r.reload(t)
	r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusForbidden)
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	r.do(t, http.MethodPost, customers, "{}").want(t, http.StatusForbidden)
	r.rewrite(t, "services: {crm: read}", `services: {"*": write}`)
	r.reload(t)
	r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
}

// A file that is wrong changes nothing, and everybody can see it.
func TestReloadOfABadFileKeepsTheLast(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	first := r.reload(t)
	if first.Hash != first.Previous || len(first.Changed) != 0 {
		t.Errorf("%+v", first)
	}
	r.rewrite(t, "retail:", "detail:") // the access rule names a credential that is none any more
	r.rewrite(t, "callers:", "unknown_key: 1\ncallers:")
	a := r.order(t, pathConfigReload, "{}").want(t, http.StatusUnprocessableEntity)
	if !strings.Contains(a.text, "unknown_key") || !strings.Contains(a.text, "the last one stays") {
		t.Errorf("answer %s", a.text)
	}
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	r.wantMetrics(t, "iqgw_config_last_reload_successful 0", `iqgw_config_info{hash="`+first.Hash+`"} 1`)
	r.wantLog(t, "the configuration cannot be used, the last one stays")
	if ready := r.get(t, "http://"+r.Admin+"/readyz?verbose").want(t, http.StatusOK); !strings.Contains(ready.text, "[!] reload degraded: the last one failed") {
		t.Errorf("readiness: %s", ready.text)
	}
	r.rewrite(t, "detail:", "retail:", "unknown_key: 1\n", "")
	if done := r.reload(t); done.Hash != first.Hash {
		t.Errorf("%+v", done)
	}
	r.wantMetrics(t, "iqgw_config_last_reload_successful 1")
}

// What the process has fixed at its start is told, and stays.
func TestReloadTellsWhatNeedsARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	r.rewrite(t, "lame_duck: 0s", "lame_duck: 1s\n  hosts: [gateway.example.com]", "telemetry: {logs: {level: debug}}", "cache: {memory: 1MiB}")
	done := r.reload(t)
	// The certificate of mode self_signed has the names of the start.
	if want := []string{"cache.memory", "server.hosts", "server.lame_duck"}; !slices.Equal(done.NeedsRestart, want) {
		t.Errorf("needs a restart: %q, want %q", done.NeedsRestart, want)
	}
	if want := []string{"cache.memory", "server.hosts", "server.lame_duck", "telemetry.logs.level"}; !slices.Equal(done.Changed, want) {
		t.Errorf("changed: %q, want %q", done.Changed, want)
	}
	r.wantLog(t, "settings have changed that this process keeps until it starts again")
	r.do(t, http.MethodGet, customers, "", func(req *http.Request) { req.Host = "gateway.example.com" }).want(t, http.StatusOK)
}
