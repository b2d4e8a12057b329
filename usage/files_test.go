package usage_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"iqgateway/usage"
	"iqgateway/usage/storetest"
)

var seq atomic.Int64

func batch(day usage.Day, name string, requests int64) usage.Batch {
	return usage.Batch{Writer: "one", Seq: seq.Add(1), Day: day, Counts: map[usage.Names]usage.Counts{caller(name): {Requests: requests}}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFilesKeepTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Fleet { return storetest.Fleet{usage.NewFiles(t.TempDir())} })
}

func TestMemoryKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Fleet { return storetest.Fleet{usage.NewFiles("")} })
}

// What was counted is there after a restart, by day, and old days are removed.
func TestFilesSurviveRestarts(t *testing.T) {
	dir, ctx := filepath.Join(t.TempDir(), "data"), t.Context()
	today := usage.Day(21_000)
	must(t, usage.NewFiles(dir).Add(ctx, batch(today-usage.KeepDays-1, "shop", 1)))
	must(t, os.WriteFile(filepath.Join(dir, "usage-123.tmp"), []byte("half"), 0o600))
	must(t, usage.NewFiles(dir).Add(ctx, batch(today, "shop", 5)))
	again := usage.NewFiles(dir)
	must(t, again.Add(ctx, batch(today, "shop", 7)))
	must(t, again.Add(ctx, batch(today, "erp", 1)))
	days, err := usage.NewFiles(dir).Read(ctx, today-usage.KeepDays-1, today, nil)
	must(t, err)
	if len(days) != 1 || days[today][caller("shop")].Requests != 12 || days[today][caller("erp")].Requests != 1 {
		t.Errorf("%v", days)
	}
	must(t, os.Remove(filepath.Join(dir, "usage.lock")))
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) != 1 {
		t.Errorf("%v are left", files)
	}
	if info, err := files[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// What cannot be written is not counted: it will be told again.
func TestFilesThatCannotBeWritten(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	blocked := filepath.Join(dir, "file")
	must(t, os.WriteFile(blocked, nil, 0o600))
	f := usage.NewFiles(filepath.Join(blocked, "data"))
	if err := f.Add(ctx, batch(21_000, "shop", 1)); err == nil {
		t.Error("it was written")
	}
	must(t, os.Remove(blocked))
	must(t, f.Add(ctx, batch(21_000, "shop", 1)))
	if days, err := f.Read(ctx, 21_000, 21_000, nil); err != nil || total(days).Requests != 1 {
		t.Errorf("%v, %v", days, err)
	}
}

// A file that is not its own is moved aside as it is, once, and counting goes on.
func TestDamagedFilesAreMovedAside(t *testing.T) {
	for name, text := range map[string]string{"no JSON": "{", "another version": `{"version":2}`, "too long": strings.Repeat(" ", 5<<20)} {
		dir := t.TempDir()
		path := filepath.Join(dir, "usage-"+usage.Day(21_000).String()+".json")
		f := usage.NewFiles(dir)
		for n := range 2 {
			must(t, os.WriteFile(path, []byte(text), 0o600))
			aside := fmt.Sprintf("%s.damaged-%d", path, n+1)
			b := batch(21_000, "shop", 3)
			if err := f.Add(t.Context(), b); err == nil || !strings.Contains(err.Error(), aside) {
				t.Errorf("%s: %v", name, err)
			}
			if kept, err := os.ReadFile(aside); err != nil || string(kept) != text {
				t.Errorf("%s is not kept: %v", name, err)
			}
			must(t, f.Add(t.Context(), b))
			if days, err := f.Read(t.Context(), 21_000, 21_000, nil); err != nil || total(days).Requests != 3 {
				t.Errorf("%s: %v, %v", name, days, err)
			}
		}
	}
}

// Gateways that share a directory lose nothing of each other.
func TestFilesAreShared(t *testing.T) {
	dir := t.TempDir()
	const writers, batches = 4, 25
	var all sync.WaitGroup
	for range writers {
		f := usage.NewFiles(dir)
		all.Go(func() {
			for range batches {
				if err := f.Add(t.Context(), batch(21_000, "shop", 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if days, err := usage.NewFiles(dir).Read(t.Context(), 21_000, 21_000, nil); err != nil || total(days).Requests != writers*batches {
		t.Errorf("%v, %v", days, err)
	}
}
