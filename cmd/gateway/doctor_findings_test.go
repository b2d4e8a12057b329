package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/config"
	"iqgateway/internal/redistest"
)

// pairUntil writes a certificate for localhost that ends at a time, and its key.
func pairUntil(t *testing.T, end time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: end.Add(-90 * 24 * time.Hour), NotAfter: end,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestDoctorLooksAtCertificates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		end    time.Duration
		host   string
		status findingStatus
		value  string
	}{
		{"good", 60 * 24 * time.Hour, "localhost", findingOK, "until "},
		{"soon", 5 * 24 * time.Hour, "localhost", findingWarning, "until "},
		{"expired", -time.Hour, "localhost", findingFailure, "expired"},
		{"of another name", 60 * 24 * time.Hour, "gateway.example.com", findingFailure, "no certificate is for this name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newDoctorConfig(t, "", nil)
			cert, key := pairUntil(t, time.Now().Add(tt.end))
			text, err := os.ReadFile(c.file)
			if err != nil {
				t.Fatal(err)
			}
			tls := "{mode: files, certificates: [{cert_file: " + cert + ", key_file: " + key + "}]}\n  hosts: [" + tt.host + "]"
			if err := os.WriteFile(c.file, []byte(strings.Replace(string(text), "{mode: self_signed}", tls, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			code, all := c.doctor(t, rigEnviron(), "--offline")
			wantFinding(t, all, "certificate", "", tt.status, tt.value)
			if failed := code == exitFailure; failed != (tt.status == findingFailure) {
				t.Errorf("exit %d", code)
			}
		})
	}
}

// A user without the rights is found before the roll-out, not by a gateway that
// serves alone.
func TestDoctorFindsMissingRights(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	server.CLI(t, "ACL", "SETUSER", "gateway", "on", ">of-the-gateway", "~other:*", "+@all")
	redis := "redis:\n  addresses: [\"" + server.Addresses()[0] + "\"]\n  timeout: 5s\n  username: gateway\n  password: of-the-gateway\n"
	c := newDoctorConfig(t, redis, nil)
	code, all := c.doctor(t, rigEnviron())
	wantFinding(t, all, "redis", "redis rights", findingFailure, "NOPERM")
	if code != exitFailure {
		t.Errorf("exit %d", code)
	}
}

// Ctrl-C ends it at once, with what was found so far.
func TestDoctorIsInterrupted(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 100)
	c := newDoctorConfig(t, "", func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // then the server sees that the client leaves
			asked <- struct{}{}
			<-r.Context().Done()
		})
	})
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		<-asked
		interrupt()
	}()
	var out, problems lockedBuffer
	code := program{stdout: &out, stderr: &problems, environ: rigEnviron()}.run(ctx, []string{"doctor", "-c", c.file, "--timeout", "10m"})
	if code != exitFailure || !strings.Contains(problems.String(), "interrupted") {
		t.Errorf("exit %d: %s", code, &problems)
	}
	for _, want := range []string{"data_dir", "not begun: interrupted"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

// Whatever the topology, it is named, and each master is looked at.
func TestDoctorNamesTheTopology(t *testing.T) {
	t.Parallel()
	fleetOn(t, "single", func(t *testing.T, topology redistest.Topology) {
		c := newDoctorConfig(t, "redis:\n  addresses: [\""+strings.Join(topology.Addresses(), `", "`)+"\"]\n  master_name: \""+topology.MasterName()+"\"\n  timeout: 5s\n", nil)
		_, all := c.doctor(t, rigEnviron())
		masters := 0
		for _, f := range all {
			if f.Check == "redis" && f.Status == findingOK && strings.HasPrefix(f.Value, topology.Mode()+" ") {
				masters++
				wantFinding(t, all, "redis", f.Subject+" clock", findingOK, "")
				wantFinding(t, all, "redis", f.Subject+" persistence", findingOK, "none")
			}
		}
		want := 1
		if topology.Mode() == "cluster" {
			want = len(topology.Addresses())
		}
		if masters != want {
			t.Errorf("%d masters of %d: %+v", masters, want, all)
		}
	})
}

func TestDoctorJudgesRedis(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		info   map[string]string
		status findingStatus
	}{
		{"snapshots", map[string]string{"rdb_last_bgsave_status": "ok"}, findingOK},
		{"append-only", map[string]string{"aof_enabled": "1", "aof_last_write_status": "ok"}, findingOK},
		{"nothing", map[string]string{"rdb_saves": "0", "rdb_last_bgsave_status": "ok"}, findingOK},
		{"no disk for snapshots", map[string]string{"rdb_last_bgsave_status": "err"}, findingFailure},
		{"no disk for the log", map[string]string{"aof_enabled": "1", "rdb_last_bgsave_status": "ok", "aof_last_write_status": "err"}, findingFailure},
	} {
		all := persistenceFindings(storeName, "", tt.info)
		if len(all) != 1 || all[0].Status != tt.status || strings.HasPrefix(all[0].Value, "none") != (tt.name == "nothing") {
			t.Errorf("%s: %+v", tt.name, all)
		}
	}
	for address, want := range map[config.HostPort]int{"127.0.0.1:6379": 0, "redis.example.com:6379": 1} {
		cfg := &config.Config{}
		cfg.Redis = &config.Redis{Addresses: []config.HostPort{"localhost:6379", address}}
		if got := plainFindings(cfg); len(got) != want {
			t.Errorf("%s in the clear: %+v", address, got)
		}
		cfg.Redis.TLS.Enabled = true
		if got := plainFindings(cfg); len(got) != 0 {
			t.Errorf("%s encrypted: %+v", address, got)
		}
	}
}
