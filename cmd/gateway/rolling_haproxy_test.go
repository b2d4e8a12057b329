package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// haproxyConfig is a careful balancer: it repeats only what was never sent.
const haproxyConfig = `global
  maxconn 2000
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  timeout check 1s
  retries 3
  retry-on conn-failure
  option redispatch
  http-reuse safe
frontend callers
  bind ADDRESS
  default_backend gateways
backend gateways
  balance roundrobin
  option httpchk GET /readyz
  http-check expect status 200
  default-server inter 100ms fall 1 rise 1 ssl ca-file CAFILE verify required
`

// haproxy starts the balancer in front of the gateways and returns its URL. It
// speaks HTTP/2 to one of them and HTTP/1.1 to the others.
func (g *rolling) haproxy(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		program = "/usr/sbin/haproxy" // where Debian has it
		if _, err := os.Stat(program); err != nil {
			t.Fatal("haproxy is not installed: make deps")
		}
	}
	address, dir := lastingAddress(t), t.TempDir()
	var authorities, config strings.Builder
	config.WriteString(strings.NewReplacer("ADDRESS", address, "CAFILE", filepath.Join(dir, "ca.pem")).Replace(haproxyConfig))
	for i, m := range g.members {
		pem, err := os.ReadFile(filepath.Join(m.data, "ca", "ca.crt"))
		if err != nil {
			t.Fatal(err)
		}
		authorities.Write(pem)
		_, port, _ := strings.Cut(m.status, ":")
		alpn := "http/1.1"
		if i == 0 {
			alpn = "h2"
		}
		fmt.Fprintf(&config, "  server gateway%d %s alpn %s check port %s no-check-ssl\n", i, m.server, alpn, port)
	}
	for name, text := range map[string]string{"ca.pem": authorities.String(), "haproxy.cfg": config.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := &lockedBuffer{}
	command := exec.Command(program, "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
	command.Stdout, command.Stderr = out, out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait() // says that it was killed
		if t.Failed() {
			t.Logf("haproxy:\n%s", tail(out.String()))
		}
	})
	url := "http://" + address
	await(t, "haproxy finds the gateways", func() bool {
		status, _, err := g.write(t.Context(), &http.Transport{}, url+"/crm/v1/Companies(1)/Customers", "before")
		return err == nil && status == http.StatusCreated
	})
	return url
}
