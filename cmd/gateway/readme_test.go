package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every command of a document works as it stands: make targets exist (CI runs
// `make check`, which runs `make test`), everything else is run from top to bottom
// in one shell and one folder, with a freshly built bin/gateway.
func TestDocumentCommands(t *testing.T) {
	t.Parallel()
	run := 0
	for _, document := range documents(t) {
		commands := shellLines(t, document)
		if len(commands) == 0 {
			continue
		}
		run += len(commands)
		t.Run(document, func(t *testing.T) {
			t.Parallel()
			runCommands(t, document, commands)
		})
	}
	if run < 80 {
		t.Errorf("only %d commands found", run)
	}
}

func runCommands(t *testing.T, document string, commands []string) {
	t.Helper()
	// A free port may be taken by somebody else before the command binds it.
	for tries := 1; !runDocument(t, document, commands, tries == 3); tries++ {
		t.Log("a port was taken meanwhile; trying others")
	}
}

// runDocument reports whether the commands ran, which they could not do when a
// port was taken; unless it is the last try, that is no failure.
func runDocument(t *testing.T, document string, commands []string, last bool) bool {
	t.Helper()
	ports := freePorts(t, "18080", "19090", "19900", "8443", "9090")
	root := projectCopy(t, ports)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var script []string
	for _, line := range commands {
		target, isMake := strings.CutPrefix(line, "make ")
		target, _, _ = strings.Cut(target, " ")
		command, background := strings.CutSuffix(line, " &")
		switch {
		case isMake:
			if !regexp.MustCompile(`(?m)^` + target + `:`).Match(makefile) {
				t.Errorf("%s: no make target %s", document, target)
			}
		case background:
			if command == "bin/iqsim" {
				command += " --listen 127.0.0.1:19900" // its default, which must be free here
			}
			script = append(script, "start "+command)
		default:
			script = append(script, strings.Replace(line, "curl ", "curl -sS --fail-with-body ", 1))
		}
	}
	out, err := runScript(t, root, ports.Replace(strings.Join(script, "\n")))
	if err != nil && !last && strings.Contains(out, "address already in use") {
		return false
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return true
}

// freePorts replaces each loopback port by one that nothing uses, so that the
// commands can run beside others of their kind.
func freePorts(t *testing.T, ports ...string) *strings.Replacer {
	t.Helper()
	var pairs []string
	for _, port := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		pairs = append(pairs, "127.0.0.1:"+port, l.Addr().String())
	}
	return strings.NewReplacer(pairs...)
}

// startFunction runs a server until the script ends, and goes on once it says
// that it listens. Servers are ended by their own ids.
const startFunction = `set -euo pipefail
pids=()
trap '[ ${#pids[@]} -eq 0 ] || { cat start-*.log >&2; kill -INT "${pids[@]}"; for p in "${pids[@]}"; do wait $p; done; }' EXIT
start() {
  log=start-$#-$RANDOM.log
  "$@" > $log 2>&1 &
  local pid=$! # the process substitution below changes $!
  pids+=($pid)
  for _ in $(seq 400); do
    grep -qE '"msg":"serving"|listens on|http://127' $log && return 0
    kill -0 $pid 2>/dev/null || break
    read -rt 0.05 <> <(:) || true
  done
  cat $log
  return 1
}
`

func runScript(t *testing.T, dir, script string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", startFunction+script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// projectCopy is a folder as a new user sees it after `make build`.
func projectCopy(t *testing.T, ports *strings.Replacer) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, from := range map[string]string{
		"README.md": filepath.Join(root, "README.md"), "Makefile": filepath.Join(root, "Makefile"), "bin": buildPrograms(t),
	} {
		if err := os.Symlink(from, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	copyExamples(t, filepath.Join(root, "examples"), filepath.Join(dir, "examples"), ports)
	return dir
}

func copyExamples(t *testing.T, from, to string, ports *strings.Replacer) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "*.yaml"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// The admin address of minimal.yaml is the default, which is not written.
		changed := ports.Replace(string(text))
		if filepath.Base(file) == "minimal.yaml" {
			changed += "\nadmin: {address: \"" + ports.Replace("127.0.0.1:9090") + "\"}\n"
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(file)), []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Every target of the Makefile's own list exists, and help shows each.
func TestMakeHelp(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "make", "-C", filepath.Join("..", ".."), "help").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, target := range []string{"help", "demo", "build", "test", "check", "lint", "fmt", "fuzz", "bench"} {
		if !slices.ContainsFunc(strings.Split(string(out), "\n"), func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), target+" ") }) {
			t.Errorf("make help does not show %s", target)
		}
	}
}
