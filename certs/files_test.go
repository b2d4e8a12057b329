package certs_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"iqgateway/certs"
)

// clockAndEvents are what the tests of files move and see.
type clockAndEvents struct {
	now    time.Time
	events []certs.Event
}

func (c *clockAndEvents) options(pairs ...certs.Pair) certs.FilesOptions {
	c.now = time.Now()
	return certs.FilesOptions{
		Pairs: pairs, Now: func() time.Time { return c.now },
		Hooks: certs.Hooks{Changed: func(e certs.Event) { c.events = append(c.events, e) }},
	}
}

func (c *clockAndEvents) outcomes() []certs.Outcome {
	var all []certs.Outcome
	for _, e := range c.events {
		all = append(all, e.Outcome)
	}
	return all
}

func newFiles(t testing.TB, o certs.FilesOptions) *certs.Files {
	t.Helper()
	f, err := certs.NewFiles(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFilesChoosesByServerName(t *testing.T) {
	gateway := local(t, certs.LocalOptions{Names: []string{"gw.test"}})
	native := local(t, certs.LocalOptions{Names: []string{"crm.iqmetrix.net"}})
	files := newFiles(t, certs.FilesOptions{Pairs: []certs.Pair{writePair(t, gateway), writePair(t, native)}})
	for name, authority := range map[string]*certs.Local{"gw.test": gateway, "crm.iqmetrix.net": native} {
		if _, err := handshake(t, files.Certificate, &tls.Config{RootCAs: trust(t, authority), ServerName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFilesRefusesWhatCannotServe(t *testing.T) {
	a, b := writePair(t, local(t, certs.LocalOptions{})), writePair(t, local(t, certs.LocalOptions{}))
	later := func() time.Time { return time.Now().Add(91 * 24 * time.Hour) }
	tests := []struct {
		name  string
		pairs []certs.Pair
		now   func() time.Time
		want  string
	}{
		{"none", nil, time.Now, "no certificate files"},
		{"mismatched", []certs.Pair{{CertFile: a.CertFile, KeyFile: b.KeyFile}}, time.Now, a.CertFile},
		{"missing", []certs.Pair{{CertFile: "/nowhere/tls.crt", KeyFile: a.KeyFile}}, time.Now, "/nowhere/tls.crt"},
		{"expired", []certs.Pair{a}, later, "expired on"},
		{"all expired", []certs.Pair{a, b}, later, a.CertFile + " expired on"},
		{"a device", []certs.Pair{{CertFile: "/dev/zero", KeyFile: a.KeyFile}}, time.Now, "longer than"},
	}
	for _, tt := range tests {
		if _, err := certs.NewFiles(certs.FilesOptions{Pairs: tt.pairs, Now: tt.now}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// A mounted secret changes as a whole: a symbolic link above the files moves.
func TestFilesFollowASymlinkSwap(t *testing.T) {
	first, second := namedPair(t, "gw.test"), namedPair(t, "gw.test")
	mount := t.TempDir()
	for name, p := range map[string]pemPair{"..2026_1": first, "..2026_2": second} {
		if err := os.Mkdir(filepath.Join(mount, name), 0o700); err != nil {
			t.Fatal(err)
		}
		p.in(t, filepath.Join(mount, name))
	}
	data := filepath.Join(mount, "..data")
	swap(t, "..2026_1", data)
	var pair certs.Pair
	for name, file := range map[string]*string{"tls.crt": &pair.CertFile, "tls.key": &pair.KeyFile} {
		*file = filepath.Join(mount, name)
		swap(t, filepath.Join("..data", name), *file)
	}
	c := &clockAndEvents{}
	files := newFiles(t, c.options(pair))
	swap(t, "..2026_2", data)
	files.Look()
	if serial(t, files) != second.serial() || !slices.Equal(c.outcomes(), []certs.Outcome{certs.Loaded}) {
		t.Errorf("serves %s after %v, want %s", serial(t, files), c.events, second.serial())
	}
}

// swap points a symbolic link elsewhere, in one step.
func swap(t *testing.T, to, link string) {
	t.Helper()
	fresh := link + ".new"
	if err := os.Symlink(to, fresh); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, link); err != nil {
		t.Fatal(err)
	}
}

// Whatever stands in the files, what served before serves on; each state of them
// is told once, when it is seen twice.
func TestFilesKeepWhatServes(t *testing.T) {
	other := namedPair(t, "gw.test")
	half := len(other.cert) / 2
	tests := map[string]struct {
		change func(t *testing.T, p certs.Pair)
		want   string
	}{
		"key of another":   {func(t *testing.T, p certs.Pair) { write(t, p.KeyFile, other.key) }, "private key does not match"},
		"certificate half": {func(t *testing.T, p certs.Pair) { write(t, p.CertFile, other.cert[:half/2]) }, p0},
		"chain half": {func(t *testing.T, p certs.Pair) {
			write(t, p.KeyFile, other.key)
			write(t, p.CertFile, other.cert[:len(other.cert)-40])
		}, "are whole"},
		"empty":                {func(t *testing.T, p certs.Pair) { write(t, p.CertFile, nil) }, p0},
		"removed":              {func(t *testing.T, p certs.Pair) { remove(t, p.CertFile) }, "no such file"},
		"unreadable, a folder": {func(t *testing.T, p certs.Pair) { remove(t, p.KeyFile); mkdir(t, p.KeyFile) }, "is a directory"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			first := namedPair(t, "gw.test")
			pair, c := first.in(t, t.TempDir()), &clockAndEvents{}
			files := newFiles(t, c.options(pair))
			tt.change(t, pair)
			for range 5 {
				files.Look()
			}
			if serial(t, files) != first.serial() {
				t.Error("what cannot serve took the place of what can")
			}
			if !slices.Equal(c.outcomes(), []certs.Outcome{certs.Refused}) {
				t.Errorf("told %v, want one refusal", c.events)
			}
			if err := certs.Trouble(files.Certificates(), c.now); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("trouble %v, want %q", err, tt.want)
			}
			next := namedPair(t, "gw.test")
			remove(t, pair.KeyFile)
			write(t, pair.KeyFile, next.key)
			write(t, pair.CertFile, next.cert)
			files.Look()
			if serial(t, files) != next.serial() || certs.Trouble(files.Certificates(), c.now) != nil {
				t.Errorf("a good pair is not in use: %v", certs.Trouble(files.Certificates(), c.now))
			}
		})
	}
}

const p0 = "failed to find any PEM data"

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
}

// Files that are replaced one by one do not fit for a moment: that is nobody's
// trouble.
func TestFilesReplacedOneByOne(t *testing.T) {
	first, second := namedPair(t, "gw.test"), namedPair(t, "gw.test")
	pair, c := first.in(t, t.TempDir()), &clockAndEvents{}
	files := newFiles(t, c.options(pair))
	write(t, pair.CertFile, second.cert)
	files.Look()
	if serial(t, files) != first.serial() || certs.Trouble(files.Certificates(), c.now) != nil {
		t.Errorf("half a rotation: serves %s, trouble %v", serial(t, files), certs.Trouble(files.Certificates(), c.now))
	}
	write(t, pair.KeyFile, second.key)
	files.Look()
	if serial(t, files) != second.serial() || !slices.Equal(c.outcomes(), []certs.Outcome{certs.Loaded}) {
		t.Errorf("told %v, serves %s", c.events, serial(t, files))
	}
}

// A pair that has expired, or is of the future, waits; one that is served and
// expires is told.
func TestFilesAndTheClock(t *testing.T) {
	day := 24 * time.Hour
	at := func(days int) pemPair {
		return aPair(t, local(t, certs.LocalOptions{Names: []string{"gw.test"}, Now: func() time.Time { return time.Now().Add(time.Duration(days) * day) }}))
	}
	first, past, future := at(0), at(-100), at(30)
	pair, c := first.in(t, t.TempDir()), &clockAndEvents{}
	files := newFiles(t, c.options(pair))
	for _, p := range []pemPair{past, future} {
		p.in(t, filepath.Dir(pair.CertFile))
		files.Look()
		files.Look()
		if serial(t, files) != first.serial() {
			t.Error("a certificate that no client accepts is served")
		}
	}
	c.now = c.now.Add(31 * day)
	files.Look()
	if serial(t, files) != future.serial() {
		t.Error("a certificate is not served when its time has come")
	}
	c.now = c.now.Add(100 * day)
	if err := certs.Trouble(files.Certificates(), c.now); err == nil || !strings.Contains(err.Error(), "expired on") {
		t.Errorf("an expired certificate is no trouble: %v", err)
	}
}

// One of several pairs that has expired keeps nobody from starting. It is told of,
// and served to nobody until it is replaced.
func TestFilesWithAnExpiredPair(t *testing.T) {
	old := time.Now().Add(-100 * 24 * time.Hour)
	lapsed := aPair(t, local(t, certs.LocalOptions{Names: []string{"a.test"}, Now: func() time.Time { return old }}))
	valid := namedPair(t, "b.test")
	pairA, c := lapsed.in(t, t.TempDir()), &clockAndEvents{}
	files := newFiles(t, c.options(pairA, valid.in(t, t.TempDir())))
	for range 3 {
		files.Look()
	}
	if serial(t, files) != valid.serial() {
		t.Error("an expired certificate is served beside a valid one")
	}
	if err := certs.Trouble(files.Certificates(), c.now); err == nil || !strings.Contains(err.Error(), pairA.CertFile) || !slices.Equal(c.outcomes(), []certs.Outcome{certs.Expired}) {
		t.Errorf("trouble %v, told %v", err, c.events)
	}
	next := namedPair(t, "a.test")
	next.in(t, filepath.Dir(pairA.CertFile))
	files.Look()
	if serial(t, files) != next.serial() || certs.Trouble(files.Certificates(), c.now) != nil {
		t.Errorf("after its replacement %s is served, trouble %v", serial(t, files), certs.Trouble(files.Certificates(), c.now))
	}
	c.now = c.now.Add(91 * 24 * time.Hour)
	files.Look()
	files.Look()
	if want := []certs.Outcome{certs.Expired, certs.Loaded, certs.Expired, certs.Expired}; serial(t, files) != next.serial() || !slices.Equal(c.outcomes(), want) {
		t.Errorf("when all have expired %s is served, told %v", serial(t, files), c.outcomes())
	}
}

// One bad pair keeps no other from being renewed.
func TestFilesPairsAreIndependent(t *testing.T) {
	a, b := namedPair(t, "a.test"), namedPair(t, "b.test")
	pairA, pairB := a.in(t, t.TempDir()), b.in(t, t.TempDir())
	c := &clockAndEvents{}
	files := newFiles(t, c.options(pairA, pairB))
	write(t, pairA.KeyFile, b.key)
	next := namedPair(t, "b.test")
	next.in(t, filepath.Dir(pairB.CertFile))
	files.Look()
	got := files.Certificates()
	if serial(t, files) != a.serial() || !slices.Equal(got[1].Names, []string{"b.test"}) || !slices.Equal(c.outcomes(), []certs.Outcome{certs.Loaded}) {
		t.Errorf("%+v after %v", got, c.events)
	}
}
