package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/steady"
)

// itemsCall is answered by the cache, but for the first time: it costs no quota.
const itemsCall = "/catalogs/v1/Companies(14146)/Catalog/Items"

// Certificates change under load, about once a second, and no handshake fails.
// The long form takes a minute.
func TestCertificateRotation(t *testing.T) {
	t.Parallel()
	lasts := 3 * time.Second
	if *long {
		lasts = time.Minute
	}
	ca := t.TempDir()
	files, serial := issued(t, ca)
	m := newMount(t, files)
	r := newTLSRig(t, ca, "{mode: files, certificates: [{cert_file: CERT, key_file: KEY}]}", "", m)
	load, stop := context.WithCancel(t.Context())
	var handshakes, rotations atomic.Int64
	var seen sync.Map
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for load.Err() == nil {
				got, status, err := r.call(t.Context(), "https://"+r.Server+itemsCall)
				if err != nil || status != http.StatusOK {
					t.Errorf("handshake %d, rotation %d: %d %v", handshakes.Load(), rotations.Load(), status, err)
					return
				}
				seen.Store(got, true)
				handshakes.Add(1)
			}
		})
	}
	for end := time.Now().Add(lasts); time.Now().Before(end); rotations.Add(1) {
		if !steady.Pause(t.Context(), time.Second) {
			break
		}
		files, serial = issued(t, ca)
		m.swap(files)
	}
	await(t, "the last certificate is served", func() bool { return r.serves(t, "https://"+r.Server+itemsCall, serial) })
	stop()
	callers.Wait()
	served := 0
	seen.Range(func(any, any) bool { served++; return true })
	if served < 2 {
		t.Errorf("%d certificates were served", served)
	}
	t.Logf("%d handshakes, none failed, during %d rotations; %d certificates were seen", handshakes.Load(), rotations.Load(), served)
}

// What cannot be used is told once, shown as degraded, and changes nothing: the
// gateway stays ready, and metrics tell when what it serves will end.
func TestCertificateFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	ca := t.TempDir()
	files, serial := issued(t, ca)
	m := newMount(t, files)
	r := newTLSRig(t, ca, "{mode: files, certificates: [{cert_file: CERT, key_file: KEY}]}", "", m)
	other, _ := issued(t, ca)
	m.swap(map[string]string{"tls.crt": files["tls.crt"], "tls.key": other["tls.key"]})
	const place = "server.tls.certificates[0]"
	await(t, "readiness tells", func() bool {
		text, status := r.admin(t, "/readyz?verbose")
		return status == http.StatusOK && strings.Contains(text, place) && strings.Contains(text, "does not match")
	})
	if !r.serves(t, "https://"+r.Server+itemsCall, serial) {
		t.Error("another certificate is served")
	}
	metrics, _ := r.admin(t, "/metrics")
	for _, want := range []string{
		`iqgw_tls_certificate_expiry_timestamp_seconds{certificate="` + place + `"}`,
		`iqgw_tls_certificate_trouble{certificate="` + place + `"} 1`,
		`iqgw_tls_certificate_loads_total{outcome="refused",source="files"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics have no %s", want)
		}
	}
	files, serial = issued(t, ca)
	m.swap(files)
	await(t, "the next one is served", func() bool { return r.serves(t, "https://"+r.Server+itemsCall, serial) })
	if text, _ := r.admin(t, "/readyz?verbose"); strings.Contains(text, place) {
		t.Errorf("still in trouble: %s", text)
	}
	if n := strings.Count(r.logs.String(), "cannot be used, the last ones stay"); n != 1 {
		t.Errorf("the refusal is logged %d times", n)
	}
}

// The admin listener follows its files as the callers' does.
func TestAdminCertificateIsFollowed(t *testing.T) {
	t.Parallel()
	ca := t.TempDir()
	files, serial := issued(t, ca)
	m := newMount(t, files)
	r := newTLSRig(t, ca, "{mode: none}", "{cert_file: CERT, key_file: KEY}", m)
	admin := "https://" + r.Admin + "/livez"
	if !r.serves(t, admin, serial) {
		t.Error("another certificate is served")
	}
	files, serial = issued(t, ca)
	m.swap(files)
	await(t, "the next one is served", func() bool { return r.serves(t, admin, serial) })
}

// A file of authorities that is missing, or holds none, is refused with its
// place, before anything listens.
func TestClientCAFileIsRead(t *testing.T) {
	t.Parallel()
	m := newMount(t, map[string]string{"empty.crt": ""})
	for file, want := range map[string]string{"empty.crt": "holds no PEM certificate", "missing.crt": "no such file"} {
		text := "version: 1\nserver: {address: \"127.0.0.1:0\", tls: {client_ca_file: " + filepath.Join(m.dir, file) + "}}\n" +
			"admin: {address: \"127.0.0.1:0\"}\nenvironments: {sim: {url: \"http://127.0.0.1:1/{service}\"}}\n"
		config := filepath.Join(t.TempDir(), "gateway.yaml")
		m.must(os.WriteFile(config, []byte(text), 0o600))
		var stderr bytes.Buffer
		code := program{stdout: io.Discard, stderr: &stderr}.run(t.Context(), []string{"run", "-c", config})
		if code != exitConfig || !strings.Contains(stderr.String(), want) || !strings.Contains(stderr.String(), "client_ca_file") {
			t.Errorf("%s: %d %s", file, code, stderr.String())
		}
	}
}
