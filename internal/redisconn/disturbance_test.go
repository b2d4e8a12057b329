package redisconn_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
)

func split(t testing.TB, address string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// scripted is a load of one script per call.
func scripted(c *redisconn.Conn) func(context.Context, string, func(context.Context, redis.UniversalClient) error) error {
	script := redis.NewScript(`return redis.call("SET", KEYS[1], ARGV[1], "PX", 60000)`)
	key := c.Key("load", "script").Field("v")
	return func(ctx context.Context, operation string, _ func(context.Context, redis.UniversalClient) error) error {
		return c.CallIdempotent(ctx, operation, func(ctx context.Context, r redis.UniversalClient) error {
			return script.Run(ctx, r, []string{key}, "v").Err()
		})
	}
}

func TestDisturbances(t *testing.T) {
	const pause, length = 100 * time.Millisecond, 3 * time.Second
	server := redistest.Single(t, redistest.WithPassword("admin"), redistest.WithUser("gateway", "first", "~iqgw:*", "+@all"))
	for name, disturb := range map[string]func(c *redisconn.Conn, i int){
		"SCRIPT FLUSH": func(*redisconn.Conn, int) { server.CLI(t, "SCRIPT", "FLUSH") },
		"CLIENT KILL":  func(*redisconn.Conn, int) { server.CLI(t, "CLIENT", "KILL", "TYPE", "normal", "USER", "gateway") },
		"rotation": func(c *redisconn.Conn, i int) { // and new connections, which need the new password
			before, after := fmt.Sprintf("password %d", i-1), fmt.Sprintf("password %d", i)
			server.CLI(t, "ACL", "SETUSER", "gateway", ">"+after)
			c.SetCredentials("gateway", secret.New(after))
			if i > 0 {
				server.CLI(t, "ACL", "SETUSER", "gateway", "<"+before)
			}
			server.CLI(t, "CLIENT", "KILL", "TYPE", "normal", "USER", "gateway")
		},
	} {
		t.Run(name, func(t *testing.T) {
			var seen changes
			server.CLI(t, "ACL", "SETUSER", "gateway", "resetpass", ">first")
			c := started(t, redisconn.Options{
				Addresses: server.Addresses(), Username: "gateway", Password: secret.New("first"),
				Timeout: 500 * time.Millisecond, // this is not about a busy machine
				Hooks:   redisconn.Hooks{StateChanged: seen.hook},
			})
			awaitUp(t, c, recovery)
			l := newLoad(t, c, scripted(c))
			began := time.Now()
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for i := 0; time.Since(began) < length; i++ {
				disturb(c, i)
				<-tick.C
			}
			l.stop()
			all := l.since(began)
			ok, failed, refused, slowest := tally(all)
			t.Logf("%d calls, slowest %v; the machine was late by %v", len(all), slowest, l.late())
			most, quiet := 0, l.late() < busy
			if !quiet { // late goroutines look like a stalled server
				most = len(all) / 100
			}
			if failed+refused > most || ok < loadRate {
				t.Errorf("%d calls succeeded, %d failed, %d were refused: %v", ok, failed, refused, reasons(all))
			}
			if got := seen.list(); len(got) != 1 && quiet {
				t.Errorf("states %v, want up once", got)
			}
		})
	}
}

func TestLogins(t *testing.T) {
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		tls := topology.Servers()[0].TLS()
		good := redisconn.Options{
			Addresses: topology.Addresses(), Username: "gateway", Password: secret.New("right"),
			SentinelPassword: secret.New("watch"), TLS: tls, Timeout: 200 * time.Millisecond,
		}
		c := started(t, good)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Call(t.Context(), "test.set", set(c.Key("k", "a").Field("v"))); err != nil {
			t.Error(err)
		}
		for name, change := range map[string]func(*redisconn.Options){
			"wrong password, WRONGPASS": func(o *redisconn.Options) { o.Password = secret.New("wr0ng") },
			"no password, NOAUTH":       func(o *redisconn.Options) { o.Password = secret.Text{} },
			"untrusted, tls":            func(o *redisconn.Options) { o.TLS = tls.Clone(); o.TLS.RootCAs = nil },
		} {
			o := good
			change(&o)
			c := started(t, o)
			err := c.Connect(t.Context())
			if !errors.Is(err, redisconn.ErrAway) || c.Status().Up {
				t.Errorf("%s: %v, status %+v", name, err, c.Status())
			}
			if _, reason, _ := strings.Cut(name, ", "); err != nil && !strings.HasSuffix(err.Error(), ": "+reason) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}, redistest.WithUser("gateway", "right", "~iqgw:*", "+@all", "-@admin", "-@dangerous", "+cluster|slots", "+cluster|shards"),
		redistest.WithSentinelPassword("watch"), redistest.WithTLS())
}
