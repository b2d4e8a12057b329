package config

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is printed loads again, to the same configuration.
func TestPrintedConfigurationLoads(t *testing.T) {
	for _, name := range exampleNames() {
		c, _ := loadExample(t, name)
		var first, second bytes.Buffer
		if err := c.Print(&first, PrintOptions{}); err != nil {
			t.Fatal(err)
		}
		again, _, err := Load(LoadOptions{Path: "printed.yaml", Data: first.Bytes(), Files: fakeFiles{}, Offline: true})
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, first.String())
		}
		if err := again.Print(&second, PrintOptions{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first.String(), second.String()); diff != "" {
			t.Errorf("%s (-printed +printed again)\n%s", name, diff)
		}
	}
}

func TestPrintSources(t *testing.T) {
	c := mustLoad(t, LoadOptions{Environ: []string{"S=x", "IQGW_SERVER__HOSTS=a.example.com"}}, mergeDocument, nil)
	var whole, service bytes.Buffer
	if err := c.Print(&whole, PrintOptions{Sources: true}); err != nil {
		t.Fatal(err)
	}
	e, _ := c.Environment("sandbox")
	crm, _ := e.Service("crm")
	if err := crm.Print(&service, PrintOptions{Sources: true}); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ printed, want string }{
		{whole.String(), "  hosts: [a.example.com] # IQGW_SERVER__HOSTS\n"},
		{whole.String(), "  lame_duck: 5s # default\n"},
		{whole.String(), "    suffix: demo # catalogue\n"},
		{whole.String(), "    client_secret: ${env:S} # conf/gateway.yaml:17\n"},
		{whole.String(), "      total: 80s # conf/gateway.yaml:15\n"},
		{service.String(), "  total: 80s # conf/gateway.yaml:15\n"},
		{service.String(), "    batch: 90s # conf/gateway.yaml:4, cut from 1m30s to timeouts.total (conf/gateway.yaml:15)\n"},
		{service.String(), "  connect: 3s # conf/gateway.yaml:3\n"},
	}
	for _, tt := range tests {
		if !strings.Contains(tt.printed, tt.want) {
			t.Errorf("%q is not printed in\n%s", tt.want, tt.printed)
		}
	}
}

// Texts that YAML would read as something else are quoted.
func TestPrintQuotesWhatNeedsIt(t *testing.T) {
	c := mustLoad(t, LoadOptions{}, "version: 1\nserver: {hosts: [yes, null, \"007\"]}\ndata_dir: 'a: b # c'\n", nil)
	var printed bytes.Buffer
	if err := c.Print(&printed, PrintOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`hosts: ["yes", "null", "007"]`, `data_dir: 'a: b # c'`} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("%s is not printed in\n%s", want, printed.String())
		}
	}
}

func TestWithoutUser(t *testing.T) {
	for url, want := range map[string]string{
		"http://u:p@a:1/x@y": "http://***@a:1/x@y", "http://a/x@y": "http://a/x@y", "http://a": "http://a", "": "",
		"http://u@v:p@a/": "http://***@a/",
	} {
		if got := withoutUser(url); got != want {
			t.Errorf("%s becomes %s, want %s", url, got, want)
		}
	}
}

// A passthrough is not active although access is.
func TestInactivePassthrough(t *testing.T) {
	const text = "version: 1\ncallers:\n  shop:\n    access:\n      - credential: passthrough\n        until: 2099-12-31\n        environment: rc\n        services: {crm: read}\n"
	c := mustLoad(t, LoadOptions{}, text, nil)
	tests := []struct {
		active []string
		want   string
	}{
		{[]string{"version", "callers.*.access"}, "conf/gateway.yaml:5: callers.shop.access[0]: is not active yet: credential passthrough is checked but grants nothing"},
		{[]string{"version", "callers"}, "conf/gateway.yaml:5: callers.shop.access[0]: is not active yet: credential passthrough is checked but grants nothing"},
		{[]string{"version", "callers", passthrough}, ""},
		{[]string{"version"}, "conf/gateway.yaml:2: callers: is not active yet: it is checked but has no effect"},
	}
	for _, tt := range tests {
		if got := c.Inactive(tt.active).Error(); got != tt.want {
			t.Errorf("active %v: %q, want %q", tt.active, got, tt.want)
		}
	}
}

func TestInactive(t *testing.T) {
	c := mustLoad(t, LoadOptions{Environ: []string{"S=x", "IQGW_CACHE__COALESCE=false"}}, mergeDocument, nil)
	tests := []struct {
		active []string
		want   []string
	}{
		{
			[]string{"version", "credentials", "callers.*.keys", "callers.*.access", "services.*.timeouts"},
			[]string{
				"defaults.quota", "services.crm.quota", "environments.sandbox.services.crm.quota", "cache",
			},
		},
		{[]string{"version", "credentials", "callers", "services.*.timeouts", "services.*.quota.max", "services.*.quota.max_wait", "cache"}, []string{
			"services.crm.quota.shares", "environments.sandbox.services.crm.quota.shares",
		}},
		{[]string{"version", "credentials", "callers", "services", "cache"}, nil},
	}
	for _, tt := range tests {
		var got []string
		for _, p := range c.Inactive(tt.active) {
			got = append(got, p.Key)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("active %v (-want +got)\n%s", tt.active, diff)
		}
	}
}
