package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// Nothing in Redis tells a secret, a token, a caller or a URL, and nothing
// stays for ever. The replicas' own logs and admin servers tell no secret.
func TestFleetLeavesNoSecretBehind(t *testing.T) {
	t.Parallel()
	const password = "canary-redis-password-77d1"
	fleetOn(t, "sentinel", func(t *testing.T, topology redistest.Topology) {
		f := newFleet(t, topology, fleetOptions{
			sim: shortLived(4), password: password,
			extra: "services:\n  dataconnect: {session: {cookies: true, preferred_endpoint: true}}\ntelemetry: {logs: {level: debug}}\n",
		})
		f.everyKind(t)
		dump := topology.Dump(t)
		if len(dump) < 6 {
			t.Fatalf("only %d keys: %v", len(dump), dump)
		}
		var stored strings.Builder
		for name, value := range dump {
			stored.WriteString(name + "\n" + value + "\n")
		}
		secrets := append(f.tokens.All(), f.key, f.admin, password, rigSecrets.client, rigSecrets.secret, rigSecrets.user, rigSecrets.password,
			f.read(t, "key-current"), f.read(t, "key-names"))
		names := []string{"storefront", "retail", "127.0.0.1", "http", "dataconnectstate", "bearer"}
		wantAbsent(t, "Redis", stored.String(), append(secrets, names...))
		topology.NoEternalKeys(t)

		each(topology, (*redistest.Server).Kill)
		f.everyKind(t)
		f.write(t, "redis-password", "canary-redis-password-wrong")
		pass(t, 6*time.Second) // files are read every five seconds
		each(topology, (*redistest.Server).Start)
		pass(t, 2*time.Second) // the logins with it are refused
		for _, r := range f.all {
			_, metrics := f.api(t, r, http.MethodGet, "/metrics", "")
			_, tokens := f.api(t, r, http.MethodGet, "/api/v1/tokens", "")
			_, ready := f.api(t, r, http.MethodGet, "/readyz?verbose", "")
			if !strings.Contains(ready, "WRONGPASS") {
				t.Errorf("the wrong password had no effect, so this proves little: %s", ready)
			}
			wantAbsent(t, "a replica", r.out.String()+metrics+tokens+ready, append(secrets, "canary-redis-password-wrong", "DataConnectState"))
		}
	}, redistest.WithPassword(password))
}

// everyKind makes each replica do what leaves something in Redis.
func (f *replicas) everyKind(t *testing.T) {
	t.Helper()
	for _, r := range f.all {
		f.wantOK(t, r)
		for _, target := range []string{"/dataconnect/lists/stores?Response=Json", "/dataconnect/session"} {
			if status, text, err := f.call(t.Context(), r, http.MethodGet, target, ""); status != http.StatusOK {
				t.Fatalf("%s: %d %s %v", target, status, text, err)
			}
		}
	}
	for _, change := range []string{"invalidate", "retry"} {
		if status, text := f.api(t, f.all[0], http.MethodPost, "/api/v1/tokens/"+change, `{"credential":"retail"}`); status != http.StatusOK {
			t.Fatalf("%s: %d %s", change, status, text)
		}
	}
	for _, r := range f.all {
		f.wantOK(t, r)
	}
}

func wantAbsent(t *testing.T, where, text string, canaries []string) {
	t.Helper()
	text = strings.ToLower(text)
	for _, canary := range canaries {
		raw := []byte(canary)
		for _, form := range []string{canary, hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw)} {
			if at := strings.Index(text, strings.ToLower(form)); at >= 0 {
				t.Errorf("%q stands in %s as %q: %s", canary, where, form, text[max(0, at-80):min(len(text), at+120)])
			}
		}
	}
}

// A value that was changed, moved or is of yesterday counts as absent.
func TestFleetRefusesChangedValues(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	f := newFleet(t, server, fleetOptions{replicas: 1, sim: iqsim.Options{Limits: map[string]int{"crm": 100_000}}})
	f.wantOK(t, f.all[0])
	name := f.tokenKey(t)
	yesterday := server.CLI(t, "GET", name)
	f.api(t, f.all[0], http.MethodPost, "/api/v1/tokens/invalidate", `{"credential":"retail"}`)
	f.wantOK(t, f.all[0])
	today := server.CLI(t, "GET", name)

	for what, value := range map[string]string{"yesterday's value": yesterday, "a flipped bit": flip(today)} {
		server.CLI(t, "SET", name, value, "EX", "600")
		f.ClearLedger()
		r := f.start(t) // has only Redis to learn a token from
		f.wantOK(t, r)
		if n := f.tokenCalls(); n != 1 {
			t.Errorf("%s: %d token calls, want 1", what, n)
		}
		if n := f.metric(t, r, "iqgw_store_rejected_values_total", `kind="token"`); n < 1 {
			t.Errorf("%s: %v rejected values counted", what, n)
		}
	}
	f.ClearLedger()
	f.wantOK(t, f.start(t))
	if n := f.tokenCalls(); n != 0 {
		t.Errorf("with the right value a new replica made %d token calls", n)
	}
}

// tokenKey returns the name of the one key that holds a token. On a busy
// machine the token may reach Redis after the answer that it was fetched for.
func (f *replicas) tokenKey(t *testing.T) string {
	t.Helper()
	var found string
	await(t, "the token is shared", func() bool {
		for name := range f.topology.Dump(t) {
			if strings.HasPrefix(name, "iqgw:token:") && strings.HasSuffix(name, ":token") {
				found = name
			}
		}
		return found != ""
	})
	return found
}

// flip changes one bit in the middle of a text of letters.
func flip(text string) string {
	b := []byte(text)
	b[len(b)/2] ^= 1
	return string(b)
}

// A refused password is tried at most three times by the whole fleet, restarts
// included, and again once its file is corrected.
func TestFleetStopsAfterRefusedPasswords(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		f := newFleet(t, topology, fleetOptions{sim: iqsim.Options{Switches: iqsim.Switches{LockAfter: 100}}})
		wrong := "another-password"
		if err := f.ChangeAccount("", rigSecrets.user, iqsim.AccountChange{Password: &wrong}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			for i, r := range f.all {
				status, text, err := f.call(t.Context(), r, http.MethodGet, customers, "")
				if err != nil || status != http.StatusServiceUnavailable {
					t.Fatalf("%d %s %v", status, text, err)
				}
				r.kill(t)
				f.all[i] = f.start(t)
			}
		}
		if n := f.tokenCalls(); n < 1 || n > 3 {
			t.Errorf("%d attempts with a refused password, want 1 to 3", n)
		}
		if status, _, err := f.call(t.Context(), f.all[0], http.MethodGet, customers, ""); status != http.StatusServiceUnavailable {
			t.Errorf("%d %v", status, err)
		}
		if _, text := f.api(t, f.all[0], http.MethodGet, "/api/v1/tokens", ""); !strings.Contains(text, `"refused"`) {
			t.Errorf("the state is not shown: %s", text)
		}
		corrected := time.Now()
		f.write(t, "password", wrong)
		await(t, "the corrected password is used", func() bool {
			status, _, err := f.call(t.Context(), f.all[1], http.MethodGet, customers, "")
			return err == nil && status == http.StatusOK
		})
		t.Logf("in use %s after the file was corrected", time.Since(corrected))
	})
}

// The same without Redis: the count stays in data_dir.
func TestRefusedPasswordSurvivesARestart(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, fleetOptions{replicas: 1, sim: iqsim.Options{Switches: iqsim.Switches{LockAfter: 100}}})
	wrong := "another-password"
	if err := f.ChangeAccount("", rigSecrets.user, iqsim.AccountChange{Password: &wrong}); err != nil {
		t.Fatal(err)
	}
	data := f.dir + "/data-kept"
	for range 6 {
		r := f.startIn(t, data)
		if status, text, err := f.call(t.Context(), r, http.MethodGet, customers, ""); err != nil || status != http.StatusServiceUnavailable {
			t.Fatalf("%d %s %v", status, text, err)
		}
		r.kill(t)
	}
	if n := f.tokenCalls(); n != 1 {
		t.Errorf("%d attempts within seconds, want 1: the next is due after a minute", n)
	}
}

// tokenRow is what the admin server tells of a credential.
type tokenRow struct {
	Credential, State, Holder string
	Generation                uint64
}

// token asks a replica about its one credential.
func (f *replicas) token(t *testing.T, r *replica) tokenRow {
	t.Helper()
	var list struct{ Tokens []tokenRow }
	status, text := f.api(t, r, http.MethodGet, "/api/v1/tokens", "")
	if err := json.Unmarshal([]byte(text), &list); err != nil || status != http.StatusOK || len(list.Tokens) != 1 {
		t.Fatalf("tokens: %d %s", status, text)
	}
	return list.Tokens[0]
}

// What an operator does on one replica holds for all.
func TestFleetFollowsItsOperator(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		f := newFleet(t, topology, fleetOptions{extra: patientRedis})
		before := map[*replica]tokenRow{}
		holders := map[string]bool{}
		for _, r := range f.all {
			f.wantOK(t, r)
			before[r] = f.token(t, r)
			holders[before[r].Holder] = true
			if before[r].State != "valid" {
				t.Errorf("%+v", before[r])
			}
		}
		if len(holders) != 1 || holders[""] {
			t.Errorf("the holders are %v, want one", holders)
		}
		await(t, "the replicas know each other", func() bool { return f.metric(t, f.all[0], "iqgw_store_replicas{") == 3 })
		f.ClearLedger()
		out := f.gateway(t, f.all[1], "token", "invalidate", "retail", "-o", "json")
		var result struct{ Replicas, Followed int }
		if err := json.Unmarshal([]byte(out), &result); err != nil || result.Replicas != 3 || result.Followed != 3 {
			t.Errorf("invalidate: %s", out)
		}
		for _, r := range f.all {
			f.wantOK(t, r)
			// The one that fetched it learns the fleet's number a moment later.
			await(t, "a later generation", func() bool { return f.token(t, r).Generation > before[r].Generation })
		}
		if n := f.tokenCalls(); n != 1 {
			t.Errorf("%d token calls after invalidate, want 1", n)
		}
		if out := f.gateway(t, f.all[2], "token", "list"); !strings.Contains(out, "retail") || !strings.Contains(out, "valid") {
			t.Errorf("token list: %s", out)
		}
	})
}

// gateway runs a command against the admin server of a replica.
func (f *replicas) gateway(t *testing.T, r *replica, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), f.binary, append(arguments, "--admin-address", strings.TrimPrefix(r.adminAt, "http://"))...)
	command.Env = append(os.Environ(), "IQGW_ADMIN__TOKEN="+f.admin)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("gateway %v: %v\n%s", arguments, err, out)
	}
	return string(out)
}

// All replicas use one DataConnect session, and no caller sees its cookie.
func TestFleetSharesTheDataConnectSession(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		f := newFleet(t, topology, fleetOptions{})
		asked := func(r *replica, having ...string) int64 {
			return int64(f.metric(t, r, "iqgw_store_operation_duration_seconds_count", having...))
		}
		for _, r := range f.all {
			for range 3 {
				status, text, err := f.call(t.Context(), r, http.MethodGet, "/dataconnect/lists/stores?Response=Json", "")
				if err != nil || status != http.StatusOK {
					t.Fatalf("%d %s %v", status, text, err)
				}
			}
			await(t, "the session is shared", func() bool { return asked(f.all[0], `operation="session.update"`, `outcome="ok"`) > 0 })
		}
		want := int64(1)
		for _, r := range f.all { // one that asks Redis in vain, on a machine too busy to answer in time, opens its own
			want += asked(r, `operation="session.load"`) - asked(r, `operation="session.load"`, `outcome="ok"`)
		}
		s := f.DataConnectStats("")
		if s.SessionsOpened < 1 || s.SessionsOpened > want || s.SessionHits < 9-want {
			t.Errorf("%d sessions opened and %d requests with one, want %d and %d", s.SessionsOpened, s.SessionHits, want, 9-want)
		}
	})
}
