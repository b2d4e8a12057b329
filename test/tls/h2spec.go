package tls

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

// H2Spec is a run of the HTTP/2 conformance suite over TLS.
type H2Spec struct {
	// Host, an IP address or a name, and Port are where the server is.
	Host string
	Port int
	// Path is what the requests ask for.
	Path string
	// CA is the file of the roots that the server's certificate must chain to.
	CA string
	// CertFile and KeyFile are the client's certificate, where it needs one.
	CertFile, KeyFile string
	// Wait is how long an answer may take.
	Wait time.Duration
}

// Case is what became of one test of the suite.
type Case struct {
	// ID is as the suite counts: http2/5.1.1/2.
	ID    string
	Title string
	// Requirement is what the RFC says.
	Requirement string
	// Error is what went wrong; "" = it passed, or was skipped.
	Error   string
	Skipped bool
}

// h2specVariable holds the H2Spec that a process shall run, as JSON.
const h2specVariable = "TLS_H2SPEC"

// Run runs the suite in a process of its own, as it ends its process when a
// connection fails. [Main] must be called first there.
func (h H2Spec) Run(ctx context.Context) ([]Case, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("h2spec: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("h2spec: %w", err)
	}
	results, err := os.CreateTemp("", "h2spec-*.json")
	if err != nil {
		return nil, fmt.Errorf("h2spec: %w", err)
	}
	defer func() { _ = errors.Join(results.Close(), os.Remove(results.Name())) }() // a temporary file
	command := exec.CommandContext(ctx, self)
	command.Env = append(os.Environ(), h2specVariable+"="+string(text), "SSL_CERT_FILE="+h.CA)
	command.ExtraFiles = []*os.File{results}
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("h2spec: %w\n%s", err, out.Bytes())
	}
	data, err := os.ReadFile(results.Name())
	if err != nil {
		return nil, fmt.Errorf("h2spec: %w", err)
	}
	var cases []Case
	if err := json.Unmarshal(data, &cases); err != nil {
		return nil, fmt.Errorf("h2spec: its results: %w", err)
	}
	return cases, nil
}

// resultsFile is the first descriptor after the standard ones.
const resultsFile = 3

// Main makes this process a run of the suite where [H2Spec.Run] has started it,
// and reports whether it was one.
func Main() (bool, error) {
	text, ok := os.LookupEnv(h2specVariable)
	if !ok {
		return false, nil
	}
	var h H2Spec
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return true, fmt.Errorf("%s: %w", h2specVariable, err)
	}
	c := &config.Config{
		Host: h.Host, Port: h.Port, Path: h.Path, Timeout: h.Wait, MaxHeaderLen: 4000,
		Strict: true, TLS: true, CertFile: h.CertFile, CertKeyFile: h.KeyFile,
	}
	var cases []Case
	for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		group.Test(c)
		cases = append(cases, collect(group)...)
	}
	out := os.NewFile(resultsFile, "results")
	if err := json.NewEncoder(out).Encode(cases); err != nil {
		return true, fmt.Errorf("h2spec: %w", err)
	}
	return true, out.Close()
}

func collect(group *spec.TestGroup) []Case {
	var cases []Case
	for i, test := range append(group.Tests, group.StrictTests...) {
		c := Case{ID: fmt.Sprintf("%s/%d", group.ID(), i+1), Title: test.Desc, Requirement: test.Requirement}
		switch r := test.Result; {
		case r == nil || r.Skipped:
			c.Skipped = true
		case r.Failed:
			c.Error = r.Error.Error()
		}
		cases = append(cases, c)
	}
	for _, sub := range group.Groups {
		cases = append(cases, collect(sub)...)
	}
	return cases
}
