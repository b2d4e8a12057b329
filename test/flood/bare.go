package flood

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"iqgateway/test/rig"
)

// bareVariable holds the rig.Pair of the Bare that a process shall be, as JSON.
const bareVariable = "FLOOD_BARE"

// Bare is a server in a process of its own that refuses everybody and does
// nothing else. A flood of it costs what a flood costs this machine at least.
type Bare struct {
	// Address is host:port.
	Address string

	process *exec.Cmd
	stay    io.Closer
}

// StartBare starts this program again as one that has this certificate. [Main]
// must be called first there.
func StartBare(ctx context.Context, pair rig.Pair) (*Bare, error) {
	text, err := json.Marshal(pair)
	if err != nil {
		return nil, fmt.Errorf("a bare server: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("a bare server: %w", err)
	}
	b := &Bare{process: exec.CommandContext(ctx, self)}
	b.process.Env = append(os.Environ(), bareVariable+"="+string(text))
	b.process.Stderr = os.Stderr
	stay, err1 := b.process.StdinPipe()
	out, err2 := b.process.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("a bare server: %w", err)
	}
	b.stay = stay
	if err := b.process.Start(); err != nil {
		return nil, fmt.Errorf("a bare server: %w", err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("a bare server does not start: %w", errors.Join(err, b.Stop()))
	}
	b.Address = strings.TrimSpace(address)
	return b, nil
}

// Stop ends it.
func (b *Bare) Stop() error { return errors.Join(b.stay.Close(), b.process.Wait()) }

// serveBare is that process: it serves until its input ends.
func serveBare(ctx context.Context, text string, in io.Reader, out io.Writer) error {
	var pair rig.Pair
	if err := json.Unmarshal([]byte(text), &pair); err != nil {
		return fmt.Errorf("%s: %w", bareVariable, err)
	}
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "who are you?", http.StatusUnauthorized)
		}),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}},
		ReadHeaderTimeout: 30 * time.Second,
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(listener, "", "") }()
	_, err1 := fmt.Fprintln(out, listener.Addr())
	_, err2 := io.Copy(io.Discard, in)
	err3 := server.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err1, err2, err3, err)
	}
	return errors.Join(err1, err2, err3)
}
