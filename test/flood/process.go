package flood

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// variable holds the Flood that a process shall be, as JSON.
const variable = "FLOOD"

// Run starts this program again as the flood, and returns what it met with.
// [Main] must be called first there.
func (f Flood) Run(ctx context.Context) (Result, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return Result{}, fmt.Errorf("a flood: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return Result{}, fmt.Errorf("a flood: %w", err)
	}
	command := exec.CommandContext(ctx, self)
	if f.Humble {
		command = exec.CommandContext(ctx, "nice", "-n", "19", self)
	}
	command.Env = append(os.Environ(), variable+"="+string(text))
	var failure bytes.Buffer
	command.Stderr = &failure
	out, err := command.Output()
	if err != nil {
		return Result{}, fmt.Errorf("a flood: %w\n%s", err, failure.Bytes())
	}
	var r Result
	if err := json.Unmarshal(out, &r); err != nil {
		return Result{}, fmt.Errorf("a flood: %w", err)
	}
	return r, nil
}

// Main makes this process a flood where [Flood.Run] has started it, a bare server
// where [StartBare] has, and reports whether it was one.
func Main(ctx context.Context, in io.Reader, out io.Writer) (bool, error) {
	if text, ok := os.LookupEnv(bareVariable); ok {
		return true, serveBare(ctx, text, in, out)
	}
	text, ok := os.LookupEnv(variable)
	if !ok {
		return false, nil
	}
	var f Flood
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return true, fmt.Errorf("%s: %w", variable, err)
	}
	return true, json.NewEncoder(out).Encode(f.run(ctx))
}
