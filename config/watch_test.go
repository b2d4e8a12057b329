package config_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/config"
)

// watched is a configuration whose files are followed.
type watched struct {
	loads   atomic.Int64           // that the watcher asked for
	address atomic.Pointer[string] // that was loaded last; empty = invalid
}

// watch loads a file and follows it until the test ends.
func watch(t *testing.T, file string) *watched {
	t.Helper()
	w, seen := &watched{}, &config.Seen{}
	load := func() {
		address := ""
		if cfg, _, err := config.Load(config.LoadOptions{Path: file, Seen: seen}); err == nil {
			address = string(cfg.Server.Address)
		} else {
			seen.Refused()
		}
		w.address.Store(&address)
	}
	load()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	watcher := config.Watcher{Seen: seen, Changed: func() { w.loads.Add(1); load() }, Troubled: func(err error) { t.Log(err) }}
	running.Go(func() { watcher.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return w
}

// wantPort waits for what was loaded; 0 = it is invalid.
func (w *watched) wantPort(t *testing.T, port int) {
	t.Helper()
	want := ""
	if port > 0 {
		want = "127.0.0.1:" + strconv.Itoa(port)
	}
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for *w.address.Load() != want {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%q is in use, want %q; loaded %d times", *w.address.Load(), want, w.loads.Load())
		}
	}
}

func write(t *testing.T, text string, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	do(t, os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600))
}

func do(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

const includes = "version: 1\ninclude: [parts/*.yaml]\n"

func listens(port int) string { return "server: {address: \"127.0.0.1:" + strconv.Itoa(port) + "\"}\n" }

// Whatever way a file is changed in, what it holds then is loaded.
func TestWatcherFollowsFiles(t *testing.T) {
	tests := map[string]func(t *testing.T, dir string, to string){
		"written in place": func(t *testing.T, dir, to string) { write(t, to, dir, "gateway.yaml") },
		"renamed over": func(t *testing.T, dir, to string) {
			write(t, to, dir, ".gateway.yaml.swp")
			do(t, os.Rename(filepath.Join(dir, ".gateway.yaml.swp"), filepath.Join(dir, "gateway.yaml")))
		},
		"removed and made anew": func(t *testing.T, dir, to string) {
			do(t, os.Remove(filepath.Join(dir, "gateway.yaml")))
			write(t, to, dir, "gateway.yaml")
		},
		"moved away and made anew": func(t *testing.T, dir, to string) {
			do(t, os.Rename(filepath.Join(dir, "gateway.yaml"), filepath.Join(dir, "gateway.yaml~")))
			write(t, to, dir, "gateway.yaml")
		},
		"in a folder that is replaced": func(t *testing.T, dir, to string) {
			do(t, os.RemoveAll(dir+"-before"), os.Rename(dir, dir+"-before"))
			write(t, to, dir, "gateway.yaml")
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "etc")
			write(t, "version: 1\n"+listens(1001), dir, "gateway.yaml")
			w := watch(t, filepath.Join(dir, "gateway.yaml"))
			w.wantPort(t, 1001)
			for _, port := range []int{1002, 1003} {
				change(t, dir, "version: 1\n"+listens(port))
				w.wantPort(t, port)
			}
			change(t, dir, "version: 1\nserver: {address: ")
			w.wantPort(t, 0)
			change(t, dir, "version: 1\n"+listens(1004))
			w.wantPort(t, 1004)
		})
	}
}

// A ConfigMap is a folder of links through ..data, which is swapped.
func TestWatcherFollowsConfigMaps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	swap := func(generation string, port int) {
		write(t, includes, dir, generation, "gateway.yaml")
		write(t, listens(port), dir, generation, "server.yaml")
		do(t, os.Symlink(generation, filepath.Join(dir, "..data_tmp")), os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	swap("..2026_1", 1001)
	do(t, os.Mkdir(filepath.Join(dir, "parts"), 0o700), os.Symlink("..data/gateway.yaml", filepath.Join(dir, "gateway.yaml")),
		os.Symlink("../..data/server.yaml", filepath.Join(dir, "parts", "server.yaml")))
	w := watch(t, filepath.Join(dir, "gateway.yaml"))
	w.wantPort(t, 1001)
	for i := 2; i < 5; i++ {
		swap("..2026_"+strconv.Itoa(i), 1000+i)
		do(t, os.RemoveAll(filepath.Join(dir, "..2026_"+strconv.Itoa(i-1))))
		w.wantPort(t, 1000+i)
	}
}

// Files that are included may come, change and go; several at once are one change,
// and the same bytes are none.
func TestWatcherFollowsIncludes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, includes, dir, "gateway.yaml")
	do(t, os.Mkdir(filepath.Join(dir, "parts"), 0o700))
	w := watch(t, filepath.Join(dir, "gateway.yaml"))
	w.wantPort(t, 8443) // the default
	write(t, listens(1001), dir, "parts", "server.yaml")
	w.wantPort(t, 1001)
	before := w.loads.Load()
	write(t, listens(1001), dir, "parts", "server.yaml") // the same
	for i := range 20 {
		write(t, "# nothing yet "+strconv.Itoa(i)+"\n", dir, "parts", "more"+strconv.Itoa(i)+".yaml")
	}
	write(t, listens(1002), dir, "parts", "server.yaml")
	w.wantPort(t, 1002)
	if n := w.loads.Load() - before; n > 2 { // a busy machine may pause in between
		t.Errorf("21 files that change at once were loaded %d times", n)
	}
	do(t, os.Remove(filepath.Join(dir, "parts", "server.yaml")))
	w.wantPort(t, 8443)
}

// A configuration that was ahead of its secret is loaded once that is there: the
// volumes of a ConfigMap and a Secret are updated in no order.
func TestWatcherWaitsForSecretsThatAreMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "etc", "gateway.yaml"), filepath.Join(dir, "run", "token")
	write(t, "version: 1\n"+listens(1001), file)
	write(t, "", dir, "run", "other")
	w := watch(t, file)
	text := "version: 1\nadmin: {token: \"${file:" + secret + "}\"}\n"
	write(t, text+listens(1002), file)
	w.wantPort(t, 0)
	write(t, "a-token-0123456789abcdef", secret)
	w.wantPort(t, 1002)

	write(t, text+"server: {address: ", file)
	w.wantPort(t, 0)
	write(t, text+listens(1003), file)
	w.wantPort(t, 1003)
	loads := w.loads.Load()
	write(t, "another-token-0123456789abcdef", secret) // which others follow
	write(t, text+listens(1004), file)
	w.wantPort(t, 1004)
	if more := w.loads.Load() - loads; more != 1 {
		t.Errorf("loaded %d times for one change", more)
	}
}

// What changes while nobody watches yet is noticed when somebody does.
func TestWatcherNoticesWhatWasBefore(t *testing.T) {
	t.Parallel()
	file, seen := filepath.Join(t.TempDir(), "gateway.yaml"), &config.Seen{}
	write(t, "version: 1\n"+listens(1001), file)
	_, _, err := config.Load(config.LoadOptions{Path: file, Seen: seen})
	do(t, err)
	write(t, "version: 1\n"+listens(1002), file)
	ctx, stop := context.WithCancel(t.Context())
	(&config.Watcher{Seen: seen, Changed: stop, Troubled: func(error) {}}).Run(ctx)
}

// Where the system tells of nothing, somebody is told, and the files are looked at.
func TestWatcherWithoutTheSystemsHelp(t *testing.T) {
	t.Parallel()
	file, seen := filepath.Join(t.TempDir(), "gone", "gateway.yaml"), &config.Seen{}
	_, _, err := config.Load(config.LoadOptions{Path: file, Seen: seen})
	if err == nil {
		t.Fatal("there is no such file")
	}
	ctx, stop := context.WithCancel(t.Context())
	told := make(chan error, 2)
	var running sync.WaitGroup
	changed := make(chan struct{})
	running.Go(func() {
		(&config.Watcher{Seen: seen, Changed: func() { stop(); close(changed) }, Troubled: func(err error) { told <- err }}).Run(ctx)
	})
	if err := <-told; err == nil {
		t.Error("nobody is told")
	}
	write(t, "version: 1\n", file)
	<-changed
	running.Wait()
}

// A pattern that finds the main file by another spelling sees nothing new.
func TestSeenKnowsAFileByEverySpelling(t *testing.T) {
	dir, seen := t.TempDir(), &config.Seen{}
	file := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(file, []byte("version: 1\ninclude: [\"*.yaml\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.Load(config.LoadOptions{Path: dir + "/./gateway.yaml", Seen: seen}); err != nil {
		t.Fatal(err)
	}
	if seen.Moved() {
		t.Error("nothing has changed")
	}
}
