package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// output is a writer that a test reads while the program runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	grew chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.text.Write(p)
	select {
	case o.grew <- struct{}{}:
	default:
	}
	return n, err
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// program is one run of iqsim.
type program struct {
	url    string
	stdout *output
	stop   func() int // ends it and returns the exit code
}

var listening = regexp.MustCompile(`listens on (https?://\S+)`)

func startProgram(t *testing.T, args ...string) program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stdout, stderr := &output{grew: make(chan struct{}, 1)}, &output{grew: make(chan struct{}, 1)}
	code := make(chan int, 1)
	go func() { code <- run(ctx, append([]string{"--listen", "127.0.0.1:0"}, args...), stdout, stderr) }()
	stop := sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { stop() })
	select {
	case <-stdout.grew:
	case got := <-code:
		code <- got
		t.Fatalf("ended with %d: %s", got, stderr)
	case <-time.After(10 * time.Second):
		t.Fatalf("said nothing; stderr: %s", stderr)
	}
	return program{listening.FindStringSubmatch(stdout.String())[1], stdout, stop}
}

func fetch(t *testing.T, client *http.Client, method, url, body string, fields ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestRunServesUntilStopped(t *testing.T) {
	p := startProgram(t, "--window", "10s", "--limit", "crm=2", "--token-lifetime", "30s", "--seed", "7")
	client := &http.Client{Timeout: 10 * time.Second}
	_, answer := fetch(t, client, "POST", p.url+"/accounts/v1/oauth2/token",
		"grant_type=password&client_id=sim-client&client_secret=sim-secret&username=sim@example.com&password=sim-password",
		"Content-Type", "application/x-www-form-urlencoded")
	token := regexp.MustCompile(`"access_token":"([^"]+)"`).FindStringSubmatch(answer)
	if token == nil || !strings.Contains(answer, `"expires_in":29`) {
		t.Fatalf("token answer %s", answer)
	}
	resp, body := fetch(t, client, "GET", p.url+"/crm/v1/Companies(14146)/Customers?$top=2", "", "Authorization", "Bearer "+token[1])
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-RateLimit-Limit") != "2" {
		t.Errorf("status %d, limit %q, %.100s", resp.StatusCode, resp.Header.Get("X-RateLimit-Limit"), body)
	}
	if _, ledger := fetch(t, client, "GET", p.url+"/_sim/ledger", ""); !strings.Contains(ledger, "Customers?$top=2") {
		t.Errorf("ledger %s", ledger)
	}
	client.CloseIdleConnections()
	if code := p.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(p.stdout.String(), "/_sim/faults") {
		t.Errorf("greeting:\n%s", p.stdout)
	}
}

func TestRunFaultsAndLatency(t *testing.T) {
	p := startProgram(t, "--latency", "30ms", "--fault", "service=crm&kind=status&status=418", "--control=false")
	client := &http.Client{Timeout: 10 * time.Second}
	begun := time.Now()
	resp, _ := fetch(t, client, "GET", p.url+"/crm/ping", "")
	if resp.StatusCode != http.StatusTeapot || time.Since(begun) < 30*time.Millisecond {
		t.Errorf("status %d after %s", resp.StatusCode, time.Since(begun))
	}
	if resp, _ := fetch(t, client, "GET", p.url+"/_sim/", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("control: %d", resp.StatusCode)
	}
	if strings.Contains(p.stdout.String(), "/_sim/") {
		t.Errorf("the greeting names what is closed:\n%s", p.stdout)
	}
	client.CloseIdleConnections()
}

func TestRunTLS(t *testing.T) {
	cert, key, roots := certificate(t)
	p := startProgram(t, "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(p.url, "https://") {
		t.Fatalf("url %s", p.url)
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
	}}
	resp, _ := fetch(t, client, "GET", p.url+"/reference/v1/Countries", "")
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("status %d over %s", resp.StatusCode, resp.Proto)
	}
	client.CloseIdleConnections()
}

// certificate makes a certificate for 127.0.0.1 and the pool that trusts it.
func certificate(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, text := range map[string][]byte{
		certFile: certPEM, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, roots
}

func TestUsageErrors(t *testing.T) {
	for args, want := range map[string]string{
		"--listen 0.0.0.0:0":    "--allow-remote",
		"--listen :0":           "--allow-remote",
		"--listen nonsense":     "no address",
		"--colour red":          "colour",
		"extra":                 `unexpected argument "extra"`,
		"--limit crm":           "service=calls",
		"--limit crm=0":         "service=calls",
		"--limit crm=many":      "service=calls",
		"--fault kind=nonsense": "nonsense",
		"--window 0s":           "above 0",
		"--token-lifetime -1s":  "above 0",
		"--tls-cert a.pem":      "--tls-key",
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(args), &stdout, &stderr)
		if code != exitUsage || !strings.Contains(stderr.String(), want) || stdout.Len() > 0 {
			t.Errorf("%s: code %d, stderr %q, stdout %q", args, code, stderr.String(), stdout.String())
		}
	}
}

func TestFailures(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for want, args := range map[string][]string{
		"address already in use": {"--listen", taken.Addr().String()},
		"multiple of 1s":         {"--listen", "127.0.0.1:0", "--window", "1500ms"},
		"does not exist":         {"--listen", "127.0.0.1:0", "--environment", "nowhere"},
		"no such file":           {"--listen", "127.0.0.1:0", "--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, &stdout, &stderr); code != exitFailure || !strings.Contains(stderr.String(), want) {
			t.Errorf("%v: code %d, stderr %q", args, code, stderr.String())
		}
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, &stdout, &stderr); code != exitOK || stderr.Len() > 0 {
		t.Fatalf("code %d, stderr %q", code, stderr.String())
	}
	for _, want := range []string{
		"Examples:", "--listen", "127.0.0.1:19900", "--window", "--token-lifetime", "--limit", "--latency", "--fault ",
		"--seed", "--control", "--tls-cert", "--allow-remote", "--ledger", "--lock-after", "--quota-scope", "--environment",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("help lacks %q", want)
		}
	}
}

func TestAllowRemote(t *testing.T) {
	if _, err := parseSettings([]string{"--listen", "0.0.0.0:1", "--allow-remote"}, io.Discard); err != nil {
		t.Error(err)
	}
	for _, loopback := range []string{"127.0.0.1:1", "[::1]:1", "localhost:1", "127.9.9.9:1"} {
		if _, err := parseSettings([]string{"--listen", loopback}, io.Discard); err != nil {
			t.Error(err)
		}
	}
}
