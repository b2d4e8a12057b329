package dashboards_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"iqgateway/test/rig"
)

// prometheus is a real one, which scrapes a fleet every second.
type prometheus struct {
	address string
	log     *rig.Log
}

const prometheusConfig = `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [RULES]
scrape_configs:
  - job_name: iqgateway
    static_configs: [{targets: [TARGETS]}]
`

func startPrometheus(t *testing.T, f *fleet) *prometheus {
	t.Helper()
	p := &prometheus{log: &rig.Log{}}
	var err error
	p.address, err = rig.FreeAddress()
	rig.Must(t, err)
	rulesFile, err := filepath.Abs(prometheusFile("rules.yaml"))
	rig.Must(t, err)
	var targets []string
	for _, g := range f.gateways {
		targets = append(targets, g.Admin)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yaml")
	text := strings.NewReplacer("RULES", rulesFile, "TARGETS", strings.Join(targets, ", ")).Replace(prometheusConfig)
	rig.Must(t, os.WriteFile(file, []byte(text), 0o600))
	// Its end is the test's to choose.
	process := exec.CommandContext(context.WithoutCancel(t.Context()), "prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+p.address, "--log.level=warn", "--enable-feature=exemplar-storage")
	process.Stdout, process.Stderr = p.log, p.log
	rig.Must(t, process.Start())
	t.Cleanup(func() {
		late := time.AfterFunc(time.Minute, func() { _ = process.Process.Kill() })
		defer late.Stop()
		if err := process.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		_ = process.Wait() // says that it was asked to
	})
	rig.Must(t, rig.Await(t.Context(), time.Minute, "Prometheus is ready", func() bool {
		_, err := rig.Fetch(t.Context(), "http://"+p.address+"/-/ready")
		return err == nil
	}))
	return p
}

// ask calls the HTTP API and reads data into v.
func (p *prometheus) ask(ctx context.Context, path string, query url.Values, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/api/v1/"+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	answer := struct {
		Status, Error string
		Warnings      []string
		Data          any
	}{Data: v}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("%s: %w", resp.Status, err)
	}
	if answer.Status != "success" || len(answer.Warnings) > 0 {
		return fmt.Errorf("%s: %s %q", resp.Status, answer.Error, answer.Warnings)
	}
	return nil
}

// query returns how many series an expression has now.
func (p *prometheus) query(ctx context.Context, expr string) (int, error) {
	var data struct{ Result []any }
	err := p.ask(ctx, "query", url.Values{"query": {expr}}, &data)
	return len(data.Result), err
}

// ruleState is a rule as Prometheus evaluates it.
type ruleState struct {
	Name, Health, LastError string
	Alerts                  []struct{ Annotations map[string]string }
}

func (p *prometheus) rules(ctx context.Context) ([]ruleState, error) {
	var data struct{ Groups []struct{ Rules []ruleState } }
	if err := p.ask(ctx, "rules", nil, &data); err != nil {
		return nil, err
	}
	var all []ruleState
	for _, g := range data.Groups {
		all = append(all, g.Rules...)
	}
	return all, nil
}

// exemplars returns how many single requests a histogram shows.
func (p *prometheus) exemplars(ctx context.Context, series string) (int, error) {
	now := time.Now()
	var data []struct {
		Exemplars []struct{ Labels map[string]string }
	}
	err := p.ask(ctx, "query_exemplars", url.Values{
		"query": {series}, "start": {now.Add(-time.Minute).Format(time.RFC3339)}, "end": {now.Add(time.Minute).Format(time.RFC3339)},
	}, &data)
	count := 0
	for _, s := range data {
		for _, e := range s.Exemplars {
			if len(e.Labels["trace_id"]) == 32 {
				count++
			}
		}
	}
	return count, err
}
