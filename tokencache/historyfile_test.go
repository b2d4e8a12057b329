package tokencache

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHistoryFile(t *testing.T) {
	dir := historyDir(filepath.Join(t.TempDir(), "not", "there", "yet"))
	key, now := testCredential(nil).key(), epoch().Add(time.Hour)
	if got, err := dir.load(key, now); err != nil || got != nil {
		t.Fatalf("%v, %v from nowhere", got, err)
	}
	for _, want := range [][]Refusal{refusalsAt(0), refusalsAt(0, 1, 11)} {
		if err := dir.save(key, want); err != nil {
			t.Fatal(err)
		}
		got, err := dir.load(key, now)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
	}
	files, err := os.ReadDir(string(dir))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	info, err := files[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %s, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(filepath.Join(string(dir), files[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	shown := files[0].Name() + string(text)
	checkClean(t, "the file", shown)
	for _, hidden := range []string{"retail", "production", "user@example.com", fmt.Sprintf("%x", key.Fingerprint)} {
		if strings.Contains(shown, hidden) {
			t.Errorf("the file shows %s: %s", hidden, shown)
		}
	}
	other := key
	other.Fingerprint[0]++
	if got, err := dir.load(other, now); err != nil || got != nil {
		t.Errorf("other secrets: %v, %v", got, err)
	}
	for range 2 { // also when there is none
		if err := dir.remove(key); err != nil {
			t.Error(err)
		}
	}
	if got, err := dir.load(key, now); err != nil || got != nil {
		t.Errorf("removed: %v, %v", got, err)
	}
}

func TestOddHistoryFiles(t *testing.T) {
	dir, key := historyDir(t.TempDir()), testCredential(nil).key()
	for name, text := range map[string]string{
		"empty": "", "half": `{"version":1,"refusals":[{"id":"a"`, "no JSON": "refused", "a list": "[]",
		"another version": `{"version":2,"refusals":[]}`, "no id": `{"version":1,"refusals":[{"at":"2026-05-04T12:00:00Z"}]}`,
		"no time": `{"version":1,"refusals":[{"id":"a"}]}`, "odd time": `{"version":1,"refusals":[{"id":"a","at":"soon"}]}`,
		"endless": `{"version":1,"refusals":[` + strings.Repeat(" ", maxHistoryFile),
	} {
		if err := os.WriteFile(dir.path(key), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := dir.load(key, epoch()); err == nil || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if err := os.Remove(dir.path(key)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir.path(key), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.load(key, epoch()); err == nil {
		t.Error("a directory is read as a file")
	}
	if err := dir.save(key, refusalsAt(0)); err == nil {
		t.Error("a directory is replaced by a file")
	}
	if files, err := os.ReadDir(string(dir)); err != nil || len(files) != 1 {
		t.Errorf("%d files, %v: the failed write has left something", len(files), err)
	}
}

// The clock was set back since the file was written: what is in the future
// counts as now.
func TestHistoryFileFromTheFuture(t *testing.T) {
	dir, key := historyDir(t.TempDir()), testCredential(nil).key()
	if err := dir.save(key, refusalsAt(0, 1, 11)); err != nil {
		t.Fatal(err)
	}
	lastYear := epoch().AddDate(-1, 0, 0)
	got, err := dir.load(key, lastYear)
	if err != nil || len(got) != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	if until, stopped := barred(got); stopped || !until.Equal(lastYear.Add(time.Hour)) {
		t.Errorf("barred until %s", until)
	}
	got, err = dir.load(key, epoch().AddDate(1, 0, 0)) // and ahead
	if until, _ := barred(got); err != nil || until.After(epoch().AddDate(0, 1, 0)) {
		t.Errorf("barred until %s, %v", until, err)
	}
}

func TestHistoryFilesAreCleaned(t *testing.T) {
	dir := historyDir(t.TempDir())
	used, gone, recent := testCredential(nil).key(), testCredential(nil).key(), testCredential(nil).key()
	gone.Fingerprint[0]++
	recent.Fingerprint[1]++
	for _, key := range []StoreKey{used, gone, recent} {
		if err := dir.save(key, refusalsAt(0)); err != nil {
			t.Fatal(err)
		}
	}
	short := filepath.Join(string(dir), historyPrefix+"123.tmp") // of a crash
	others := filepath.Join(string(dir), "certificate.pem")
	for _, path := range []string{short, others} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	for _, path := range []string{dir.path(used), dir.path(gone), short, others} {
		if err := os.Chtimes(path, now, now.Add(-8*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := dir.clean(now, []StoreKey{used}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		dir.path(used): true, dir.path(gone): false, dir.path(recent): true, short: false, others: true,
	} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %t", filepath.Base(path), !want)
		}
	}
	if err := historyDir(filepath.Join(string(dir), "missing")).clean(now, nil); err != nil {
		t.Error(err)
	}
}

// Where refusals cannot be written, that is told and nothing else suffers.
func TestUnwritableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var complaints []string
	o := Options{Dir: filepath.Join(file, "dir"), Hooks: Hooks{HistoryFailed: func(_ ID, err error) { complaints = append(complaints, err.Error()) }}}
	endpoint := &idp{answer: always(400, `{"error":"invalid_grant"}`)}
	inBubble(t, o, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		if _, err := acquired(e.acquire(t.Context())); err == nil {
			t.Error("a token")
		}
		endpoint.behave(nil)
		pass(time.Minute)
		wantToken(t, e, 1)
	})
	if len(complaints) == 0 {
		t.Error("nobody was told")
	}
}

// The file of a credential is there while something is held against it.
func TestFileFollowsTheRefusals(t *testing.T) {
	dir := historyDir(t.TempDir())
	endpoint := &idp{answer: always(400, `{"error":"invalid_grant"}`)}
	inBubble(t, Options{Dir: string(dir)}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		exists := func(want bool, when string) {
			t.Helper()
			if _, err := os.Stat(dir.path(e.key)); (err == nil) != want {
				t.Errorf("%s: there is a file: %t", when, !want)
			}
		}
		exists(false, "at first")
		_, _ = acquired(e.acquire(t.Context()))
		exists(true, "after a refusal")
		e.cache.Retry(t.Context(), "retail")
		exists(false, "after Retry")
		_, _ = acquired(e.acquire(t.Context()))
		exists(true, "after another refusal")
		endpoint.behave(nil)
		pass(time.Minute)
		wantToken(t, e, 1)
		pass(time.Second)
		exists(false, "after a success")
	})
}

func FuzzParseHistory(f *testing.F) {
	f.Add([]byte(`{"version":1,"refusals":[{"id":"a","at":"2026-05-04T12:00:00Z"}]}`))
	f.Add([]byte(`{"version":1,"refusals":[{"id":"a","at":"9999-12-31T23:59:59Z"},{"id":"b","at":"0001-01-01T00:00:01Z"}]}`))
	f.Add([]byte(`{"version":1e9}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseHistory(bytes.NewReader(text), epoch())
		if err != nil && got != nil {
			t.Fatal("both")
		}
		if len(got) > stopRefusals {
			t.Fatalf("%d refusals", len(got))
		}
		for i, r := range got {
			if r.At.After(epoch()) || i > 0 && r.At.Before(got[i-1].At) {
				t.Fatalf("%v", got)
			}
		}
		if until, _ := barred(got); until.After(epoch().Add(refusalWindow)) {
			t.Fatalf("barred until %s", until)
		}
	})
}
