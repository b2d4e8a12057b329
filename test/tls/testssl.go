package tls

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Finding is one line of testssl.sh's report.
type Finding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Finding  string `json:"finding"`
}

// Bad reports whether the finding is one that testssl.sh would have mended.
func (f Finding) Bad() bool { return !slices.Contains([]string{"OK", "INFO", "DEBUG"}, f.Severity) }

// Scan is a run of testssl.sh.
type Scan struct {
	// Address is the IP address and port of the server.
	Address string
	// Name is the server name that it asks for.
	Name string
	// Path is what it requests.
	Path string
	// CA is the file of the roots that the server's certificate must chain to.
	CA string
	// Checks are flags that choose some checks; none = all.
	Checks []string
}

// Run runs the scan. It leaves files to dir.
func (s Scan) Run(ctx context.Context, dir string) ([]Finding, error) {
	ip, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return nil, fmt.Errorf("testssl: %w", err)
	}
	report := filepath.Join(dir, "testssl.json")
	arguments := append([]string{
		"--quiet", "--color", "0", "--warnings", "batch", "-n", "none", "--ip", ip, "--add-ca", s.CA, "--jsonfile", report,
	}, s.Checks...)
	command := exec.CommandContext(ctx, "testssl", append(arguments, "https://"+net.JoinHostPort(s.Name, port)+s.Path)...)
	command.Dir = dir
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	// Its exit code counts what it does not like; the report says which.
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("testssl: %w", err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		return nil, fmt.Errorf("testssl: %w\n%s", err, out.Bytes())
	}
	var findings []Finding
	if err := json.Unmarshal(text, &findings); err != nil {
		return nil, fmt.Errorf("testssl: its report: %w\n%s", err, out.Bytes())
	}
	return findings, nil
}
