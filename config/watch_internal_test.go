package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Where nobody tells of changes, a file that is being written is not met half way.
func TestPollingWaitsUntilAFileRests(t *testing.T) {
	file, seen := filepath.Join(t.TempDir(), "gateway.yaml"), &Seen{}
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := func() error {
		_, _, err := Load(LoadOptions{Path: file, Seen: seen})
		return err
	}
	write("version: 1\n")
	if err := load(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		loads := 0
		w := Watcher{Seen: seen, Troubled: func(error) {}, Changed: func() {
			loads++
			if err := load(); err != nil {
				t.Errorf("met half way: %v", err)
			}
		}}
		w.notify = func() (*fsnotify.Watcher, error) { return nil, errors.New("no watches are left") }
		go w.Run(ctx)
		const text = "version: 1\nserver: {lame_duck: 7s}\n"
		pass(watchPoll - 2*watchQuiet)
		for n := 1; n <= len(text); n += 5 {
			write(text[:n])
			pass(watchQuiet / 2)
		}
		write(text)
		pass(watchPoll)
		if loads != 1 {
			t.Errorf("loaded %d times", loads)
		}

		// One that never rests is looked at all the same.
		for n := 0; loads == 1 && n < 1000; n++ {
			write(text + "# " + time.Duration(n).String())
			pass(watchQuiet / 2)
		}
		if loads == 1 {
			t.Error("a file that changes all the time is never loaded")
		}
		stop()
		synctest.Wait()
	})
}

func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // in a bubble: no time passes
	synctest.Wait()
}

// A pattern of folders has those watched that it finds, and the one in which others
// would come; not one of that name, nor what is no folder.
func TestWatchedFoldersOfAPattern(t *testing.T) {
	dir, seen := t.TempDir(), &Seen{}
	for name, text := range map[string]string{"etc/gateway.yaml": "version: 1\ninclude: [../conf.*/*.yaml]\n", "conf.a/server.yaml": "", "conf.b/other": "", "conf.c": ""} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := Load(LoadOptions{Path: filepath.Join(dir, "etc", "gateway.yaml"), Seen: seen}); err != nil {
		t.Fatal(err)
	}
	want := []string{dir, filepath.Join(dir, "conf.a"), filepath.Join(dir, "conf.b"), filepath.Join(dir, "etc")}
	if got := seen.dirs(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// vanishing is a file system in which what a pattern finds is removed at once.
type vanishing struct {
	OSFiles

	found []string
}

// Glob implements [Files].
func (v vanishing) Glob(pattern string) ([]string, error) {
	if hasMeta(pattern) {
		return v.found, nil
	}
	return v.OSFiles.Glob(pattern)
}

// A file that is removed after a pattern has found it is as if it had never been; a
// link that leads nowhere is wrong.
func TestIncludedFileThatGoes(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link.yaml")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{filepath.Join(dir, "gone.yaml"): "", link: "cannot be read"} {
		o := LoadOptions{Path: filepath.Join(dir, "gateway.yaml"), Data: []byte("version: 1\ninclude: [\"*.yaml\"]\n"), Files: vanishing{found: []string{file}}}
		_, _, err := Load(o)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// What the system was asked to tell is let go of after each look, be it that a load
// panics.
func TestWatcherLetsGoOfTheSystem(t *testing.T) {
	file, seen := filepath.Join(t.TempDir(), "gateway.yaml"), &Seen{}
	if err := os.WriteFile(file, []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(LoadOptions{Path: file, Seen: seen}); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(stop func()){
		"a load panics":         func(func()) { panic("a bug") },
		"the context has ended": func(stop func()) { stop() },
	} {
		var asked []*fsnotify.Watcher
		ctx, stop := context.WithCancel(t.Context())
		w := Watcher{Seen: seen, Troubled: func(error) {}, Changed: func() { end(stop) }}
		w.notify = func() (*fsnotify.Watcher, error) {
			told, err := fsnotify.NewWatcher()
			asked = append(asked, told)
			return told, err
		}
		if err := os.WriteFile(file, []byte("version: 1 # "+name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() { _ = recover() }()
			w.Run(ctx)
		}()
		stop()
		if len(asked) == 0 {
			t.Fatalf("%s: nothing was asked", name)
		}
		for _, told := range asked {
			if err := told.Add(filepath.Dir(file)); !errors.Is(err, fsnotify.ErrClosed) {
				t.Errorf("%s: still watches: %v", name, err)
			}
		}
	}
}

// fleeting is a file system in which what is read is removed at once.
type fleeting struct{ OSFiles }

// ReadFile implements [Files].
func (f fleeting) ReadFile(name string, limit int64) ([]byte, error) {
	text, err := f.OSFiles.ReadFile(name, limit)
	return text, errors.Join(err, os.Remove(name))
}

// A file that goes once it is read has changed: what it said is in use.
func TestSeenNoticesAFileThatGoesOnceItIsRead(t *testing.T) {
	file, seen := filepath.Join(t.TempDir(), "gateway.yaml"), &Seen{}
	if err := os.WriteFile(file, []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(LoadOptions{Path: file, Seen: seen, Files: fleeting{}}); err != nil {
		t.Fatal(err)
	}
	if !seen.Moved() {
		t.Error("the file is gone, and nobody notices")
	}
}
