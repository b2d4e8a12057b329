package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The demo makes its calls within ten seconds, the lines that it prints work
// in a shell as they stand, and nothing stays behind.
func TestDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var out, errs lockedBuffer
	ended := make(chan int, 1)
	begin := time.Now()
	p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	go func() { ended <- p.run(ctx, []string{"demo"}) }()
	await(t, "the demo is ready", func() bool {
		select {
		case code := <-ended:
			t.Fatalf("exit %d: %s", code, errs.String())
		default:
		}
		return strings.Contains(out.String(), "Press Ctrl-C")
	})
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("the demo took %s", took)
	}
	lines := regexp.MustCompile(`(?m)curl .*$`).FindAllString(out.String(), -1)
	if len(lines) != 9 {
		t.Fatalf("%d curl lines, want 9:\n%s", len(lines), out.String())
	}
	shown := 0
	for _, line := range lines {
		cmd := exec.CommandContext(ctx, "bash", "-c", strings.Replace(line, "curl ", "curl -sS --fail-with-body ", 1))
		answer, err := cmd.CombinedOutput()
		if err != nil || len(answer) == 0 {
			t.Errorf("%s\n%v: %.300s", line, err, answer)
		}
		if strings.Contains(line, " -i ") {
			shown++
			if !bytes.Contains(bytes.ToLower(answer), []byte("\ncache-status: iqgateway; hit; ttl=")) {
				t.Errorf("%s does not show a hit: %.600s", line, answer)
			}
		}
	}
	if shown != 1 {
		t.Errorf("%d lines show a hit, want 1", shown)
	}
	admin := regexp.MustCompile(`admin +http://(\S+)`).FindStringSubmatch(out.String())[1]
	wantCommand(t, []string{"IQGW_ADMIN__ADDRESS=" + admin}, exitOK, []string{"writes info and above"}, "log", "level")
	stop()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "iqgateway-demo-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDemoOnce(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out, errs lockedBuffer
	p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	if code := p.run(t.Context(), []string{"demo", "--once"}); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	for _, want := range []string{"→ 200 in", "→ 201 in", "order 8765-", "rows of", "Cache-Status: iqgateway; hit; ttl="} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
