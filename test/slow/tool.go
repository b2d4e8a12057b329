package slow

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"time"
)

// Tool is a run of slowhttptest, which attacks as a stranger would.
type Tool struct {
	// URL is what it asks for.
	URL string
	// Mode is -H (headers), -B (body), -X (reading) or -R (ranges).
	Mode string
	// Connections are opened at Rate a second, and held for at most Length.
	Connections, Rate int
	Length            time.Duration
	// Key is a caller's; "" = the stranger has none.
	Key string
	// Humble leaves the processor to others, as attackers do who have machines of
	// their own. Where it is short, the attack takes long to begin.
	Humble bool
}

// Run runs the tool until the gateway has closed all its connections, Length has
// passed or ctx ends, and returns what it writes.
func (a Tool) Run(ctx context.Context) (string, error) {
	command := exec.CommandContext(ctx, "slowhttptest", a.arguments()...)
	if a.Humble {
		command = exec.CommandContext(ctx, "nice", append([]string{"-n", "19", "slowhttptest"}, a.arguments()...)...)
	}
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	if ctx.Err() == nil && err != nil {
		return out.String(), fmt.Errorf("slowhttptest %s: %w", a.Mode, err)
	}
	return out.String(), nil
}

func (a Tool) arguments() []string {
	accept := "*/*"
	if a.Key != "" {
		accept += "\r\nX-Api-Key: " + a.Key // it has no flag for fields
	}
	return []string{
		a.Mode, "-u", a.URL, "-m", accept, "-c", strconv.Itoa(a.Connections), "-r", strconv.Itoa(a.Rate),
		"-l", strconv.Itoa(int(a.Length.Seconds())), "-p", "30", "-v", "1",
		"-i", "1", "-s", "1000000", "-x", "8", // a little every second
		"-n", "1", "-z", "5", "-w", "10", "-y", "20", // -X: 5 bytes a second
		"-a", "5", "-b", "500", // -R
	}
}
