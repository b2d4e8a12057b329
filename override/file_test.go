package override_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/clocktest"
	"iqgateway/override"
	"iqgateway/override/storetest"
)

func TestFileKeepsTheContract(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		storetest.Run(t, func(*testing.T) storetest.Fleet {
			if dir != "" {
				dir = t.TempDir()
			}
			f := override.NewFile(dir, nil)
			return storetest.Fleet{One: f, Other: f}
		})
	}
}

// A restart keeps what holds, and what has ended meanwhile stays ended.
func TestFileOutlivesTheProcess(t *testing.T) {
	dir, clock := t.TempDir(), clocktest.New()
	before := override.NewFile(dir, clock.Now)
	if _, err := before.Update(t.Context(), func([]override.Override) ([]override.Override, error) {
		return []override.Override{{ID: "a", Key: "k.a", Left: time.Minute}, {ID: "b", Key: "k.b", Left: time.Hour, UntilReload: true}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	clock.Pass(2 * time.Minute)
	found, err := override.NewFile(dir, clock.Now).Load(t.Context())
	if err != nil || len(found.All) != 1 || found.All[0].ID != "b" || !found.All[0].UntilReload {
		t.Fatalf("%+v, %v", found, err)
	}
	if left := found.All[0].Left; left > 58*time.Minute || left < 57*time.Minute {
		t.Errorf("left %s", left)
	}
	info, err := os.Stat(filepath.Join(dir, "overrides.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// What a crash has left half written is removed, and is no order.
func TestFileForgetsWhatACrashHasLeft(t *testing.T) {
	dir := t.TempDir()
	half := filepath.Join(dir, "overrides.json.123.tmp")
	if err := os.WriteFile(half, []byte(`{"version": 1, "overr`), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := override.NewFile(dir, nil).Load(t.Context()); err != nil || len(found.All) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Error(err)
	}
}

// A file that nobody can read is told of, holds nothing, and is no obstacle to
// what comes.
func TestFileThatIsBroken(t *testing.T) {
	for name, text := range map[string]string{"no JSON": "{", "another version": `{"version": 2}`, "a giant": strings.Repeat("x", 300<<10)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "overrides.json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			f := override.NewFile(dir, nil)
			if found, err := f.Load(t.Context()); err == nil || len(found.All) > 0 {
				t.Errorf("%+v, %v", found, err)
			}
			if _, err := f.Update(t.Context(), func(all []override.Override) ([]override.Override, error) {
				return append(all, override.Override{ID: "a", Key: "k.a", Left: time.Hour}), nil
			}); err != nil {
				t.Error(err)
			}
			if found, err := override.NewFile(dir, nil).Load(t.Context()); err != nil || len(found.All) != 1 {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
}
