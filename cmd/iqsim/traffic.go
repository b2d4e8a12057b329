package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const trafficHelp = `iqsim traffic plays several applications at a gateway that is in front of iqsim:
cached and uncached reads, writes, a batch job that has to wait for quota, one that
runs into its own limit, a stranger, and troubles of the upstream in turn. It goes
on until it is stopped.

Usage:
  iqsim traffic --gateway URL --keys FOLDER [--gateway URL]… [--control URL]

Flags:
`

// maxUnderWay bounds what one actor has under way: what finds no room is not sent.
const maxUnderWay = 16

// traffic is what the flags say.
type traffic struct {
	gateways []string
	control  string // of iqsim; "" = no trouble is made
	keys     map[string]string
	trouble  time.Duration // between two
	report   time.Duration
}

func parseTraffic(args []string, stdout io.Writer) (traffic, error) {
	t := traffic{keys: map[string]string{}}
	folder := ""
	f := flag.NewFlagSet("iqsim traffic", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Func("gateway", "base `URL` of a gateway, repeatable: they are asked in turn", func(text string) error {
		t.gateways = append(t.gateways, strings.TrimSuffix(text, "/"))
		return checkURL(text)
	})
	f.Func("control", "base `URL` of the iqsim behind them, to make trouble there", func(text string) error {
		t.control = strings.TrimSuffix(text, "/")
		return checkURL(text)
	})
	f.StringVar(&folder, "keys", "", "`folder` with a file CALLER.key for each caller")
	f.DurationVar(&t.trouble, "trouble", 20*time.Second, "time between two troubles")
	f.DurationVar(&t.report, "report", 10*time.Second, "time between two lines that say what was answered")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			_, _ = io.WriteString(stdout, trafficHelp)
			writeFlags(stdout, f)
		}
		return t, err
	}
	switch {
	case f.NArg() > 0:
		return t, fmt.Errorf("unexpected argument %q: traffic takes flags only", f.Arg(0))
	case len(t.gateways) == 0, folder == "":
		return t, errors.New("--gateway URL and --keys FOLDER are needed")
	case t.trouble <= 0 || t.report <= 0:
		return t, errors.New("--trouble and --report must be above 0")
	}
	return t, t.readKeys(folder)
}

func checkURL(text string) error {
	if u, err := url.Parse(text); err != nil || u.Host == "" {
		return errors.New("write a URL, such as http://127.0.0.1:18080")
	}
	return nil
}

func (t *traffic) readKeys(folder string) error {
	for _, a := range actors() {
		if a.caller == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, a.caller+".key"))
		if err != nil {
			return fmt.Errorf("the key of %s: %w", a.caller, err)
		}
		t.keys[a.caller] = strings.TrimSpace(string(text))
	}
	return nil
}

// play goes on until ctx ends.
func (t *traffic) play(ctx context.Context, stdout io.Writer) {
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	defer all.Wait()
	seen := &answers{counts: map[string]int{}}
	for _, a := range actors() {
		all.Go(func() { t.act(ctx, client, a, seen) })
	}
	if t.control != "" {
		all.Go(func() { t.makeTrouble(ctx, client, stdout) })
	}
	tick := time.NewTicker(t.report)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, _ = fmt.Fprintln(stdout, seen.take())
		}
	}
}

// act sends the calls of one actor in turn.
func (t *traffic) act(ctx context.Context, client *http.Client, a actor, seen *answers) {
	var all sync.WaitGroup
	defer all.Wait()
	slots := make(chan struct{}, maxUnderWay)
	tick := time.NewTicker(a.every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case slots <- struct{}{}:
		default: // enough wait already
			continue
		}
		all.Go(func() {
			defer func() { <-slots }()
			status, refusal := t.send(ctx, client, a, n)
			seen.add(a.name()+" "+status, refusal)
		})
	}
}

// send makes the nth call and returns its status, and what the gateway says of a
// refusal.
func (t *traffic) send(ctx context.Context, client *http.Client, a actor, n int) (status, refusal string) {
	c, target := a.turn(n, t.gateways)
	r, err := http.NewRequestWithContext(ctx, c.method, target, strings.NewReader(c.body))
	if err != nil {
		return "not sent", ""
	}
	r.Header.Set("X-Api-Key", t.keys[a.caller])
	if a.caller == "" {
		r.Header.Set("X-Api-Key", "nobody")
	}
	r.Header.Set("Accept", "application/json")
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if a.hasty {
		r.Header.Set("X-Gateway-Wait", "0")
	}
	resp, err := client.Do(r)
	if err != nil {
		return "no answer", ""
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Header.Get("Content-Type") == "application/problem+json" {
		var p struct {
			Title   string `json:"title"`
			TraceID string `json:"trace_id"`
		}
		_ = json.NewDecoder(resp.Body).Decode(&p) // what cannot be read is not shown
		return resp.Status, p.Title + ": gateway explain " + p.TraceID
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return resp.Status + " cut", ""
	}
	return resp.Status, ""
}
