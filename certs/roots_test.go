package certs_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"iqgateway/certs"
)

func newRoots(t testing.TB, o certs.RootsOptions) *certs.Roots {
	t.Helper()
	o.Name = "server.tls.client_ca_file"
	r, err := certs.NewRoots(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRootsFollowTheirFile(t *testing.T) {
	one, two := local(t, certs.LocalOptions{}), local(t, certs.LocalOptions{})
	file, changes := filepath.Join(t.TempDir(), "ca.crt"), 0
	write(t, file, one.CAPEM())
	var events []certs.Event
	roots := newRoots(t, certs.RootsOptions{
		File: file, Changed: func() { changes++ },
		Hooks: certs.Hooks{Changed: func(e certs.Event) { events = append(events, e) }},
	})
	both := slices.Concat([]byte("# both\n"), one.CAPEM(), []byte("text between\n"), two.CAPEM())
	write(t, file, both)
	for range 3 {
		roots.Look()
	}
	if changes != 1 || len(roots.List()) != 2 || len(events) != 1 || events[0].Outcome != certs.Loaded || len(events[0].Names) != 2 {
		t.Errorf("%d changes, %d authorities, told %+v", changes, len(roots.List()), events)
	}
	for name, text := range map[string][]byte{
		"empty": nil, "no certificate": []byte("-----BEGIN X-----\n-----END X-----\n"), "cut": two.CAPEM()[:100],
		"the second is cut": slices.Concat(one.CAPEM(), two.CAPEM()[:100]), "garbled": bytes.ReplaceAll(two.CAPEM(), []byte("M"), []byte("N")),
	} {
		events = nil
		write(t, file, text)
		for range 3 {
			roots.Look()
		}
		if changes != 1 || len(roots.List()) != 2 || len(events) != 1 || events[0].Outcome != certs.Refused || roots.Trouble() == nil {
			t.Errorf("%s: %d changes, %d authorities, told %+v, trouble %v", name, changes, len(roots.List()), events, roots.Trouble())
		}
		write(t, file, both)
		roots.Look()
	}
	write(t, file, two.CAPEM())
	roots.Look()
	if changes != 2 || len(roots.List()) != 1 || roots.Trouble() != nil {
		t.Errorf("%d changes, %d authorities, trouble %v", changes, len(roots.List()), roots.Trouble())
	}
}

func TestRootsRefuseAFileWithoutAuthorities(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.crt")
	write(t, empty, nil)
	for file, want := range map[string]string{empty: "holds no PEM certificate", empty + ".not": "no such file"} {
		_, err := certs.NewRoots(certs.RootsOptions{Name: "server.tls.client_ca_file", File: file})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "server.tls.client_ca_file") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
