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

// Every command of the README works as it stands: make targets exist (CI runs
// `make check`, which runs `make test`), everything else is run here in one
// shell, with a freshly built bin/gateway.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	runCommands(t, "README.md", 10)
}

// runCommands runs the commands of a document, which must be so many or more.
func runCommands(t *testing.T, document string, least int) {
	t.Helper()
	// A free port may be taken by somebody else before the command binds it.
	for tries := 1; !runDocument(t, document, least, tries == 3); tries++ {
		t.Log("a port was taken meanwhile; trying others")
	}
}

// runDocument reports whether the commands ran, which they could not do when a
// port was taken; unless it is the last try, that is no failure.
func runDocument(t *testing.T, document string, least int, last bool) bool {
	t.Helper()
	ports := freePorts(t, "18080", "19090", "19900", "8443", "9090")
	root := projectCopy(t, ports)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var script []string
	for _, line := range shellLines(t, filepath.Join("..", "..", document)) {
		target, isMake := strings.CutPrefix(line, "make ")
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
	if len(script) < least {
		t.Fatalf("only %d commands found", len(script))
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
trap 'cat start-*.log >&2; kill -INT "${pids[@]}"; for p in "${pids[@]}"; do wait $p; done' EXIT
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

// shellLines returns the commands of the sh blocks of a document.
func shellLines(t *testing.T, file string) []string {
	t.Helper()
	var lines []string
	for _, block := range codeBlocks(t, file, "sh") {
		for line := range strings.Lines(block) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// codeBlocks returns the blocks of a document in one language.
func codeBlocks(t *testing.T, file, language string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
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

// Links between the documents lead somewhere.
func TestDocumentLinks(t *testing.T) {
	root := filepath.Join("..", "..")
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "CONTEXT.md", "CONTRIBUTING.md", "CHANGELOG.md"} {
		documents = append(documents, filepath.Join(root, name))
	}
	links := 0
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), match[1])); err != nil {
				t.Errorf("%s: link to %s: %v", document, match[1], err)
			}
		}
	}
	if links < 10 {
		t.Errorf("only %d links found", links)
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
