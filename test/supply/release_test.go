package supply_test

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"iqgateway/test/rig"
	"iqgateway/test/supply"
)

var long = flag.Bool("long", false, "the long form: what is built twice is built from nothing")

var root = filepath.Join("..", "..")

// run runs a program in the product's folder and returns what it writes.
func run(t *testing.T, environ []string, name string, arguments ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Dir, command.Env = root, append(os.Environ(), environ...)
	out, err := command.CombinedOutput()
	return string(out), err
}

func mustRun(t *testing.T, environ []string, name string, arguments ...string) string {
	t.Helper()
	out, err := run(t, environ, name, arguments...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
	return out
}

// release builds one for this machine that is signed with the key in a file.
func release(t *testing.T, key string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	mustRun(t, releaseEnviron(key), "scripts/release.sh", dir)
	return dir
}

func releaseEnviron(key string) []string {
	return []string{"VERSION=v0.0.0-test", "SIGNING_KEY=" + key, "GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH}
}

// newKey writes a new Ed25519 key and its public half.
func newKey(t *testing.T) (private, public string) {
	t.Helper()
	dir := t.TempDir()
	private, public = filepath.Join(dir, "release.key"), filepath.Join(dir, "release.pub")
	mustRun(t, nil, "openssl", "genpkey", "-algorithm", "ed25519", "-out", private)
	mustRun(t, nil, "openssl", "pkey", "-in", private, "-pubout", "-out", public)
	return private, public
}

// SEC-64: who has program, bill and public key can tell that they are ours, and
// that they are no others.
func TestSEC64Release(t *testing.T) {
	t.Parallel()
	private, public := newKey(t)
	dir := release(t, private)
	t.Run("the bill of materials", func(t *testing.T) { wantBill(t, dir) })
	t.Run("the version", func(t *testing.T) {
		if out := mustRun(t, nil, filepath.Join(dir, "gateway"), "version"); !strings.Contains(out, "v0.0.0-test") {
			t.Errorf("%q", out)
		}
	})
	t.Run("is verified", func(t *testing.T) { mustRun(t, nil, "scripts/release-verify.sh", public, dir) })
	t.Run("by the right key only", func(t *testing.T) {
		_, other := newKey(t)
		wantRefused(t, other, dir)
	})
	for _, name := range []string{"gateway", "gateway.cdx.json", "SHA256SUMS", "SHA256SUMS.sig"} {
		t.Run("not with another "+name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			whole, err := os.ReadFile(path)
			rig.Must(t, err)
			changed := bytes.Clone(whole)
			changed[len(changed)/2] ^= 1
			rig.Must(t, os.WriteFile(path, changed, 0o600))
			wantRefused(t, public, dir)
			rig.Must(t, os.WriteFile(path, whole, 0o600))
		})
	}
}

func wantRefused(t *testing.T, public, dir string) {
	t.Helper()
	out, err := run(t, nil, "scripts/release-verify.sh", public, dir)
	if _, ended := errors.AsType[*exec.ExitError](err); !ended {
		t.Errorf("verified: %v\n%s", err, out)
	}
}

// wantBill fails the test unless the bill lists what the program itself says
// that it was linked with.
func wantBill(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "gateway.cdx.json"))
	rig.Must(t, err)
	var bill supply.Document
	rig.Must(t, json.Unmarshal(text, &bill))
	var listed []string
	for _, c := range bill.Components {
		listed = append(listed, c.PURL)
	}
	built, err := buildinfo.ReadFile(filepath.Join(dir, "gateway"))
	rig.Must(t, err)
	want := []string{"pkg:golang/std@" + strings.TrimPrefix(built.GoVersion, "go")}
	for _, m := range built.Deps {
		want = append(want, "pkg:golang/"+m.Path+"@"+m.Version)
	}
	slices.Sort(want)
	slices.Sort(listed)
	if len(want) < 10 || !slices.Equal(listed, want) {
		t.Errorf("listed %q,\nlinked %q", listed, want)
	}
	if sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS")); err != nil || !strings.Contains(string(sums), bill.Metadata.Component.Hashes[0].Content) {
		t.Errorf("the bill is of another program: %v", err)
	}
}

// disturbing is what a machine may have set for other builds.
var disturbing = []string{
	"GOAMD64=v3", "GOARM64=v9.0", "GOFLAGS=-tags=elsewhere", "GOEXPERIMENT=arenas", "CGO_ENABLED=1", "GODEBUG=http2client=0", "GOWORK=/nowhere/go.work",
}

// SEC-64: a release for another machine is that, and its bill is of that.
func TestSEC64ReleaseForAnotherMachine(t *testing.T) {
	if !*long {
		t.Skip("compiles everything for another processor: in the long form")
	}
	other := map[string]string{"amd64": "arm64"}[runtime.GOARCH]
	if other == "" {
		other = "amd64"
	}
	private, public := newKey(t)
	dir := t.TempDir()
	mustRun(t, append(releaseEnviron(private), "GOOS=linux", "GOARCH="+other), "scripts/release.sh", dir)
	wantBill(t, dir)
	mustRun(t, nil, "scripts/release-verify.sh", public, dir)
	built, err := buildinfo.ReadFile(filepath.Join(dir, "gateway"))
	rig.Must(t, err)
	if !slices.Contains(built.Settings, debug.BuildSetting{Key: "GOARCH", Value: other}) {
		t.Errorf("built for %v", built.Settings)
	}
}

// SEC-64: the same source gives the same bytes, in another folder, whatever is
// set there, and in the long form without anything that was built before.
func TestSEC64Reproducible(t *testing.T) {
	t.Parallel()
	private, _ := newKey(t)
	first := release(t, private)
	second := t.TempDir()
	copied := filepath.Join(t.TempDir(), "elsewhere")
	rig.Must(t, os.CopyFS(copied, source{os.DirFS(root)}))
	environ := append(releaseEnviron(private), disturbing...)
	if *long {
		environ = append(environ, "GOCACHE="+t.TempDir())
	}
	mustRun(t, environ, filepath.Join(copied, "scripts", "release.sh"), second)
	for _, name := range []string{"gateway", "gateway.cdx.json", "SHA256SUMS", "SHA256SUMS.sig"} {
		a, err1 := os.ReadFile(filepath.Join(first, name))
		b, err2 := os.ReadFile(filepath.Join(second, name))
		rig.Must(t, errors.Join(err1, err2))
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs", name)
		}
	}
}

// source is the tree without what git and make put there.
type source struct{ fs.FS }

// ReadLink implements fs.ReadLinkFS: links are copied as links.
func (s source) ReadLink(name string) (string, error) { return fs.ReadLink(s.FS, name) }

// Lstat implements fs.ReadLinkFS.
func (s source) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(s.FS, name) }

// ReadDir implements fs.ReadDirFS.
func (s source) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return name == "." && (e.Name() == ".git" || e.Name() == "bin")
	}), err
}

// SEC-64: what is linked may be given on by everybody.
func TestSEC64Licences(t *testing.T) {
	t.Parallel()
	allowed := []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT"}
	modules, err := supply.Linked(t.Context(), root, "./cmd/...")
	rig.Must(t, err)
	for _, m := range modules {
		if len(m.Licences) == 0 {
			t.Errorf("%s %s: no licence found", m.Path, m.Version)
		}
		for _, licence := range m.Licences {
			if !slices.Contains(allowed, licence) {
				t.Errorf("%s %s: licence %q", m.Path, m.Version, licence)
			}
		}
	}
}
