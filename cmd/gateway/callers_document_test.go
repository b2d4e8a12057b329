package main

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// snippet is how a program of docs/callers.md runs: as the file that its language
// wants, and by a runtime that may be absent.
type snippet struct {
	language string // of the document's block
	file     string
	runtime  string
	command  []string
	// project files beside the program, by name.
	beside map[string]string
}

func snippets() []snippet {
	const project = `<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><OutputType>Exe</OutputType>` +
		`<TargetFramework>net8.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup></Project>`
	return []snippet{
		{language: "sh", file: "customers.sh", runtime: "curl", command: []string{"bash", "-euo", "pipefail", "customers.sh"}},
		{language: "go", file: "customers.go", runtime: "go", command: []string{"go", "run", "customers.go"}},
		{language: "csharp", file: "Program.cs", runtime: "dotnet", command: []string{"dotnet", "run"}, beside: map[string]string{"customers.csproj": project}},
		{language: "java", file: "Customers.java", runtime: "javac", command: []string{"java", "Customers.java"}},
		{language: "python", file: "customers.py", runtime: "python3", command: []string{"python3", "customers.py"}},
		{language: "js", file: "customers.js", runtime: "node", command: []string{"node", "customers.js"}},
	}
}

// Each program of the document reads a customer, where its runtime is installed.
func TestCallersDocumentPrograms(t *testing.T) {
	t.Parallel()
	g := newRig(t, rigOptions{})
	for _, s := range snippets() {
		t.Run(s.language, func(t *testing.T) {
			if _, err := exec.LookPath(s.runtime); err != nil {
				t.Skipf("%s is not installed", s.runtime)
			}
			out := s.run(t, g)
			if !strings.Contains(out, "PrimaryName") || !regexp.MustCompile(`(?m)^(200 |x-request-id: )[a-z2-7]{8}-`).MatchString(out) {
				t.Errorf("no customer or no request id in\n%s", out)
			}
		})
	}
}

func (s snippet) run(t *testing.T, g *rig) string {
	t.Helper()
	blocks := s.blocks(t)
	if len(blocks) != 1 {
		t.Fatalf("%d blocks", len(blocks))
	}
	dir := t.TempDir()
	files := map[string]string{s.file: blocks[0]}
	maps.Copy(files, s.beside)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.command[0], s.command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GATEWAY_URL="+g.base, "GATEWAY_KEY="+g.key, "GATEWAY_CA="+filepath.Join(filepath.Dir(g.file), "ca", "ca.crt"), "GO111MODULE=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// blocks are those of the language, whatever mark they have: this is the test that
// runs them.
func (s snippet) blocks(t *testing.T) []string {
	t.Helper()
	var texts []string
	for _, b := range blocksOf(t, filepath.Join("docs", "callers.md")) {
		if b.language == s.language {
			texts = append(texts, b.text)
		}
	}
	return texts
}
