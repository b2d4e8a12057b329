package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// doctorConfig is the configuration that a doctor reads; its ports are free.
type doctorConfig struct {
	sim  *iqsim.Sim
	file string
}

// newDoctorConfig has a simulation stand behind wrap.
func newDoctorConfig(t *testing.T, extra string, wrap func(http.Handler) http.Handler, o ...iqsim.Options) doctorConfig {
	t.Helper()
	sim, tap, simURL := newSim(t, append(o, iqsim.Options{})[0])
	if wrap != nil {
		server := httptest.NewServer(wrap(tap))
		t.Cleanup(server.Close)
		simURL = server.URL
	}
	_, digest := auth.NewKey()
	dir := t.TempDir()
	text := strings.NewReplacer("SIM", simURL, "DIGEST", digest, "DIR", dir, "ACCESS", `{crm: read}`).Replace(rigConfig) + extra
	file := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return doctorConfig{sim, file}
}

// doctor runs the command and returns its exit code and findings.
func (c doctorConfig) doctor(t *testing.T, environ []string, args ...string) (int, []finding) {
	t.Helper()
	code, stdout, stderr := command(t, environ, append([]string{"doctor", "-c", c.file, "-o", "json"}, args...)...)
	var answer doctorAnswer
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		t.Fatalf("exit %d: %v\n%s%s", code, err, stdout, stderr)
	}
	for _, secret := range []string{rigSecrets.secret, rigSecrets.password, rigSecrets.user} {
		if strings.Contains(stdout+stderr, secret) {
			t.Errorf("it shows %s", secret)
		}
	}
	return code, answer.Findings
}

// wantFinding fails the test unless a finding of the check and subject (a part
// of it) is as told.
func wantFinding(t *testing.T, all []finding, check, subject string, status findingStatus, value string) {
	t.Helper()
	if !slices.ContainsFunc(all, func(f finding) bool {
		return f.Check == check && strings.Contains(f.Subject, subject) && f.Status == status && strings.Contains(f.Value, value)
	}) {
		t.Errorf("no finding %s %s %s %q among\n%+v", check, subject, status, value, all)
	}
}

// logins are the calls of the token endpoint.
func (c doctorConfig) logins() int { return len(c.sim.Ledger(iqsim.LedgerQuery{Service: "accounts"})) }

func TestDoctorFindsAllWell(t *testing.T) {
	t.Parallel()
	c := newDoctorConfig(t, "", nil)
	code, all := c.doctor(t, rigEnviron())
	if code != exitOK {
		t.Errorf("exit %d", code)
	}
	for _, check := range []string{"configuration", "data_dir", "ports", "upstream", "token", "ping"} {
		wantFinding(t, all, check, "", findingOK, "")
	}
	if n, pings := c.logins(), len(c.sim.Ledger(iqsim.LedgerQuery{Service: "crm"})); n != 1 || pings != 1 {
		t.Errorf("%d logins and %d pings, want one of each", n, pings)
	}
	if code, all = c.doctor(t, rigEnviron(), "--offline"); code != exitOK || c.logins() != 1 {
		t.Errorf("offline: exit %d, %d logins", code, c.logins())
	}
	wantFinding(t, all, "token", "", findingSkipped, "--offline")
}

// A wrong password costs one login, and the next run counts on.
func TestDoctorTriesAWrongPasswordOnce(t *testing.T) {
	t.Parallel()
	c := newDoctorConfig(t, "", nil)
	code, all := c.doctor(t, append(rigEnviron(), "RIG_PASSWORD=wrong"))
	if code != exitFailure || c.logins() != 1 {
		t.Errorf("exit %d after %d logins", code, c.logins())
	}
	wantFinding(t, all, "token", "sim/retail", findingFailure, "")
	if c.doctor(t, append(rigEnviron(), "RIG_PASSWORD=wrong")); c.logins() != 1 {
		t.Errorf("%d logins: the second run does not know of the first", c.logins())
	}
}

// An account of another environment gets a token that its services refuse: one
// login, one ping, and no other attempt.
func TestDoctorFindsATokenOfAnotherEnvironment(t *testing.T) {
	t.Parallel()
	c := newDoctorConfig(t, "", nil)
	if _, err := c.sim.AddFault(iqsim.Fault{Kind: iqsim.FaultStatus, Status: http.StatusUnauthorized, Service: "crm"}); err != nil {
		t.Fatal(err)
	}
	code, all := c.doctor(t, rigEnviron())
	wantFinding(t, all, "ping", "sim/crm", findingFailure, "401")
	if pings := len(c.sim.Ledger(iqsim.LedgerQuery{Service: "crm"})); code != exitFailure || c.logins() != 1 || pings != 1 {
		t.Errorf("exit %d, %d logins, %d pings", code, c.logins(), pings)
	}
}

func TestDoctorFindsClocksThatDiffer(t *testing.T) {
	t.Parallel()
	c := newDoctorConfig(t, "", nil, iqsim.Options{Now: func() time.Time { return time.Now().Add(time.Minute) }})
	_, all := c.doctor(t, rigEnviron())
	wantFinding(t, all, "ping", "sim/crm clock", findingWarning, "off this machine's")
}

// An address that takes no connection ends within the time.
func TestDoctorEndsWithinItsTime(t *testing.T) {
	t.Parallel()
	c := newDoctorConfig(t, "", func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // then the server sees that the client leaves
			<-r.Context().Done()
		})
	})
	code, all := c.doctor(t, rigEnviron(), "--timeout", "3s")
	if code != exitFailure {
		t.Errorf("exit %d", code)
	}
	wantFinding(t, all, "token", "", findingFailure, "")
	wantFinding(t, all, "ping", "", findingSkipped, "--timeout")
}

func TestDoctorFindsWhatThisMachineLacks(t *testing.T) {
	t.Parallel()
	c := newDoctorConfig(t, "", nil)
	taken := httptest.NewServer(nil)
	defer taken.Close()
	code, all := c.doctor(t, rigEnviron(), "--offline",
		"--set", "data_dir=/dev/null/none", "--set", "admin.address="+taken.Listener.Addr().String())
	if code != exitFailure {
		t.Errorf("exit %d", code)
	}
	wantFinding(t, all, "data_dir", "/dev/null", findingFailure, "not a directory")
	wantFinding(t, all, "ports", "admin.address", findingWarning, "in use")
	if code, _, _ := command(t, rigEnviron(), "doctor", "-c", c.file, "--set", "server.address=none"); code != exitConfig {
		t.Errorf("exit %d with an invalid configuration", code)
	}
}

func TestDoctorLooksAtRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	key := newKey()
	redis := "redis:\n  addresses: [\"" + server.Addresses()[0] + "\"]\n  timeout: 5s\n  encryption_keys: [\"" + key + "\"]\n  name_key: \"" + newKey() + "\"\n"
	c := newDoctorConfig(t, redis, nil)
	code, all := c.doctor(t, rigEnviron())
	if code != exitOK {
		t.Errorf("exit %d: %+v", code, all)
	}
	for _, subject := range []string{"redis rights", "redis clock", "redis memory"} {
		wantFinding(t, all, "redis", subject, findingOK, "")
	}
	server.SetMaxMemory(t, 1<<30, "allkeys-lru")
	code, all = c.doctor(t, rigEnviron())
	wantFinding(t, all, "redis", "redis memory", findingFailure, "allkeys-lru")
	wantFinding(t, all, "token", "sim/retail", findingOK, "shared by the fleet")
	if code != exitFailure || c.logins() != 1 {
		t.Errorf("exit %d, %d logins: the shared token was not taken", code, c.logins())
	}
	server.Kill()
	_, all = c.doctor(t, rigEnviron())
	wantFinding(t, all, "redis", "redis", findingFailure, "")
}
