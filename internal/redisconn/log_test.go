package redisconn_test

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"iqgateway/internal/redisconn"
)

const asChild = "REDISCONN_TEST_CHILD"

// The client library logs failed dials to the stderr that it found at its
// start, so only another process can show that it does not.
func TestNothingIsLogged(t *testing.T) {
	if os.Getenv(asChild) != "" {
		c := named(t, redisconn.Options{Mode: redisconn.ModeSingle})
		if err := c.Connect(t.Context()); err == nil {
			t.Error("connected to nobody")
		}
		return
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNothingIsLogged$")
	command.Env = append(os.Environ(), asChild+"=1")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("child: %v, %s", err, stderr.String())
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr: %q", stderr.String())
	}
}
