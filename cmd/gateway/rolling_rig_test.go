package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// productlibrary has a small quota beside crm, which has none that matters.
const (
	rollingLimit   = 100
	rollingWindow  = 2 * time.Second
	rollingMetered = "status: {address: \"127.0.0.1:0\"}\nservices:\n" +
		"  productlibrary: {quota: {assume: %d/%s, max_wait: {interactive: 10s}}, cache: {mode: none}}\n"
)

// rollingTimes are those of the gateways that are restarted.
var rollingTimes = struct{ lameDuck, drain time.Duration }{time.Second, 15 * time.Second}

// rolling is gateways at addresses that stay when one of them is restarted.
type rolling struct {
	*replicas
	members []*member
	roots   *x509.CertPool
	limit   int             // of productlibrary
	fresh   []time.Duration // how long each took to be ready at its first start
}

// member is a place where a gateway runs, one process after the other.
type member struct {
	server, status, admin string // host:port
	data                  string
	process               *replica

	mu        sync.Mutex
	endpoints bool // told to clients, as the orchestrator does
	left      int  // how often it was not told any more
}

func newRolling(t *testing.T, n int) *rolling { return newRollingFrom(t, n, buildGateway(t)) }

// newRollingFrom has the gateways run another program until they are restarted.
func newRollingFrom(t *testing.T, n int, binary string) *rolling {
	t.Helper()
	return newRollingOf(t, n, binary, rollingLimit, "", fleetOptions{config: fleetConfig, sim: iqsim.Options{LedgerSize: 1_000_000}})
}

// newRollingOf adds to the options what all rolling gateways have, with more YAML in
// services. limit is that of productlibrary.
func newRollingOf(t *testing.T, n int, binary string, limit int, services string, o fleetOptions) *rolling {
	t.Helper()
	o.replicas, o.extra = -1, o.extra+fmt.Sprintf(rollingMetered, limit, rollingWindow)+services
	o.config = strings.NewReplacer("{mode: none}", "{mode: self_signed}",
		"lame_duck: 0s", "lame_duck: "+rollingTimes.lameDuck.String()+"\n  drain_timeout: "+rollingTimes.drain.String()).Replace(o.config)
	o.sim.Switches.Window = iqsim.Duration(rollingWindow)
	o.sim.Limits = map[string]int{"crm": 10_000_000, "catalogs": 10_000_000, "entitymanager": 10_000_000, "productlibrary": limit}
	f := newFleet(t, redistest.Single(t), o)
	g := &rolling{replicas: f, roots: x509.NewCertPool(), limit: limit}
	f.binary = binary
	for range n {
		m := &member{server: lastingAddress(t), status: lastingAddress(t), admin: lastingAddress(t), data: t.TempDir()}
		g.members = append(g.members, m)
		g.fresh = append(g.fresh, g.run(t, m))
		pem, err := os.ReadFile(filepath.Join(m.data, "ca", "ca.crt"))
		if err != nil || !g.roots.AppendCertsFromPEM(pem) {
			t.Fatal("no certificate authority", err)
		}
	}
	return g
}

// lastingAddress returns a free address below the ports that the system lends to
// connections: nobody takes it while its server is restarted.
func lastingAddress(t *testing.T) string {
	t.Helper()
	var random [2]byte
	for range 100 {
		_, _ = rand.Read(random[:]) // documented never to fail
		address := "127.0.0.1:" + strconv.Itoa(15_000+int(binary.BigEndian.Uint16(random[:]))%15_000)
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// run starts the gateway of m, has clients told once it is ready, and returns how
// long that took.
func (g *rolling) run(t *testing.T, m *member) time.Duration {
	t.Helper()
	begun := time.Now()
	g.execute(t, m)
	await(t, "a gateway is ready", func() bool { return m.ready(t) == http.StatusOK })
	took := time.Since(begun)
	m.announce(true)
	return took
}

// execute starts the gateway of m.
func (g *rolling) execute(t *testing.T, m *member) {
	t.Helper()
	r := &replica{out: &lockedBuffer{}, server: "https://" + m.server, adminAt: "http://" + m.admin}
	r.command = exec.CommandContext(context.WithoutCancel(t.Context()), g.binary, "run", "-c", g.file, "--set", "data_dir="+m.data,
		"--set", "server.address="+m.server, "--set", "status.address="+m.status, "--set", "admin.address="+m.admin)
	r.command.Env = append(os.Environ(), append(rigEnviron(), "RIG_ADMIN="+g.admin)...)
	r.command.Stdout, r.command.Stderr = r.out, r.out
	if err := r.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(t) })
	m.process = r
}

func (m *member) announce(yes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left += oneWhen(m.endpoints && !yes)
	m.endpoints = yes
}

func (m *member) announced() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.endpoints
}

// absences is how often it was not announced any more.
func (m *member) absences() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left
}

// ready returns the status of /readyz, 0 without an answer.
func (m *member) ready(t *testing.T) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+m.status+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// ended waits for the end of a gateway that was asked to, within the time that
// its settings allow.
func (m *member) ended(t *testing.T, code int) time.Duration {
	t.Helper()
	begun := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.process.command.Wait() // the exit code tells
	}()
	limit := time.NewTimer(rollingTimes.lameDuck + rollingTimes.drain + 5*time.Second)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		t.Errorf("it runs %s after the signal", time.Since(begun))
		m.process.kill(t)
		<-done
	}
	if got := m.process.command.ProcessState.ExitCode(); got != code {
		t.Errorf("exit %d, want %d:\n%s", got, code, tail(m.process.out.String()))
	}
	return time.Since(begun)
}

// tail returns the end of a log.
func tail(log string) string { return log[max(0, len(log)-4000):] }

// restart replaces one gateway as a rolling update does: the endpoint goes away
// a moment after the signal, and clients learn of the new one when it is ready.
func (g *rolling) restart(t *testing.T, m *member) {
	t.Helper()
	m.process.signal(t, syscall.SIGTERM)
	late := time.AfterFunc(rollingTimes.lameDuck/3, func() { m.announce(false) })
	defer late.Stop()
	took := m.ended(t, exitOK)
	g.run(t, m)
	t.Logf("%s ended %s after the signal", m.server, took.Round(time.Millisecond))
}
