package redistest_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
)

func TestStartedAgainItIsEmptyAtTheSameAddress(t *testing.T) {
	for name, end := range map[string]func(*redistest.Server){
		"stopped":            (*redistest.Server).Stop,
		"killed":             (*redistest.Server).Kill,
		"killed when frozen": func(s *redistest.Server) { s.Freeze(); s.Kill() },
		"stopped when frozen": func(s *redistest.Server) {
			s.Freeze()
			s.Stop()
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Single(t)
			address, pid := server.Address(), server.PID()
			set(t, client(t, server), "k", "v")

			end(server)
			if server.Running() || alive(t, pid) {
				t.Error("it still runs")
			}
			if connection, err := net.DialTimeout("tcp", address, time.Second); err == nil {
				_ = connection.Close()
				t.Error("it still accepts connections")
			}

			server.Start()
			if server.Address() != address || server.PID() == pid {
				t.Errorf("it is process %d at %s, was process %d at %s", server.PID(), server.Address(), pid, address)
			}
			if n := server.CLI(t, "DBSIZE"); n != "0" {
				t.Errorf("it holds %s keys", n)
			}
		})
	}
}

func TestFrozenItAcceptsAndStalls(t *testing.T) {
	server := redistest.Single(t)
	r := client(t, server, func(o *redis.UniversalOptions) { o.MaxRetries = -1 })
	set(t, r, "k", "v")

	server.Freeze()
	connection, err := net.DialTimeout("tcp", server.Address(), time.Second)
	if err != nil {
		t.Fatalf("a frozen server must still accept: %v", err)
	}
	_ = connection.Close()
	began := time.Now()
	if err := ping(t, r, 100*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		t.Errorf("a frozen server answered: %v", err)
	}
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("the call ended after %v instead of stalling", took)
	}
	if !server.Running() {
		t.Error("a frozen process counts as running")
	}

	server.Thaw()
	if got := r.Get(t.Context(), "k").Val(); got != "v" {
		t.Errorf("after the thaw k = %q", got)
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func TestStartWaitsForItsPort(t *testing.T) {
	server := redistest.Single(t)
	server.Stop()
	squatter, err := net.Listen("tcp4", server.Address())
	if err != nil {
		t.Fatal(err)
	}
	left := time.AfterFunc(300*time.Millisecond, func() { _ = squatter.Close() })
	defer left.Stop()
	server.Start()
	if reply := server.CLI(t, "PING"); reply != "PONG" {
		t.Error(reply)
	}
}

func TestMisuseIsReported(t *testing.T) {
	record(t, func(t testing.TB) {
		server := redistest.Single(t)
		server.Start()
	}).failsSaying(t, "start 127.0.0.1:", "running already")
	record(t, func(t testing.TB) {
		server := redistest.Single(t)
		server.Stop()
		server.Freeze()
	}).failsSaying(t, "freeze 127.0.0.1:", "not running")
	record(t, func(t testing.TB) {
		server := redistest.Single(t)
		server.CLI(t, "NOSUCHCOMMAND")
	}).failsSaying(t, "redis-cli NOSUCHCOMMAND", "unknown command")
}

func TestFailedTestsShowTheLog(t *testing.T) {
	record(t, func(t testing.TB) {
		redistest.Single(t)
		t.Errorf("something else")
	}).failsSaying(t, "something else", "Ready to accept connections")

	quiet := record(t, func(t testing.TB) { redistest.Single(t) })
	if quiet.Failed() || quiet.said.Len() > 0 {
		t.Errorf("a test that passes says %q", quiet.said.String())
	}
}

func TestWithoutRedisItSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	record(t, func(t testing.TB) { redistest.Single(t) }).failsSaying(t, "apt-get install redis-server", "7.0")
}

func TestABadSettingShowsWhatRedisSays(t *testing.T) {
	record(t, func(t testing.TB) {
		redistest.Single(t, redistest.WithMaxMemory(1<<20, "no-such-policy"))
	}).failsSaying(t, "ended at once", "exit status 1", "no-such-policy")
}

func TestNothingIsKeptOnDisk(t *testing.T) {
	var dir string
	t.Run("test", func(t *testing.T) {
		server := redistest.Single(t)
		set(t, client(t, server), "k", "secret value")
		_, dir, _ = strings.Cut(server.CLI(t, "CONFIG", "GET", "dir"), "\n")
		server.Stop()
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if name := file.Name(); name != "redis.conf" && name != "redis.log" {
				t.Errorf("the server left %s", name)
			}
		}
	})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%q is still there: %v", dir, err)
	}
}
