package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// loadText loads a document with files, variables and flags around it.
func loadText(t testing.TB, o LoadOptions, text string, files fakeFiles) (*Config, Problems, error) {
	t.Helper()
	o.Path, o.Data = "conf/gateway.yaml", []byte(text)
	if files == nil {
		files = fakeFiles{}
	}
	o.Files = files
	return Load(o)
}

func mustLoad(t testing.TB, o LoadOptions, text string, files fakeFiles) *Config {
	t.Helper()
	c, _, err := loadText(t, o, text, files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const mergeDocument = `version: 1
defaults:
  timeouts: {total: 100s, connect: 3s}
  quota: {max_wait: {batch: 90s}}
services:
  crm:
    quota: {max: 900, shares: {shop: 40%}}
  dataconnect:
    timeouts: {connect: 4s}
environments:
  sandbox:
    services:
      crm:
        quota: {shares: {shop: {cap: 60%}}}
        timeouts: {total: 80s}
credentials:
  retail: {environment: sandbox, client_id: a, client_secret: "${env:S}", username: u, password: "${env:S}"}
callers:
  shop:
    keys: [{id: k, sha256: 3f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a01}]
    access: [{credential: retail, services: {"*": write}}]
`

// Service settings merge defaults < catalogue < services < environments, and
// each leaf knows where it comes from.
func TestServicesMerge(t *testing.T) {
	c := mustLoad(t, LoadOptions{
		Environ: []string{"S=x", "IQGW_SERVICES__CRM__QUOTA__SCOPE=egress"},
		Flags:   map[string]string{"services.crm.timeouts.connect": "7s"},
	}, mergeDocument, nil)
	source := func(environment, service, key string) string {
		e, _ := c.Environment(environment)
		s, ok := e.Service(service)
		if !ok {
			t.Fatalf("no service %s in %s", service, environment)
		}
		return s.Source(key)
	}
	tests := []struct{ environment, service, key, want string }{
		{"sandbox", "crm", "quota.max", "conf/gateway.yaml:7"},
		{"sandbox", "crm", "quota.shares.shop.guarantee", "conf/gateway.yaml:7"},
		{"sandbox", "crm", "quota.shares.shop.cap", "conf/gateway.yaml:14"},
		{"production", "crm", "quota.shares.shop.cap", "default"},
		{"sandbox", "crm", "quota.scope", "IQGW_SERVICES__CRM__QUOTA__SCOPE"},
		{"sandbox", "crm", "quota.assume", "catalogue"},
		{"sandbox", "crm", "timeouts.connect", "flag services.crm.timeouts.connect"},
		{"sandbox", "crm", "timeouts.total", "conf/gateway.yaml:15"},
		{"production", "crm", "timeouts.total", "conf/gateway.yaml:3"},
		{"sandbox", "crm", "timeouts.body_idle", "default"},
		{"sandbox", "crm", "quota.max_wait.batch", "conf/gateway.yaml:4, cut from 1m30s to timeouts.total (conf/gateway.yaml:15)"},
		{"sandbox", "dataconnect", "timeouts.connect", "conf/gateway.yaml:9"},
		{"sandbox", "dataconnect", "timeouts.total", "catalogue"}, // defaults are under the catalogue
		{"sandbox", "dataconnect", "host", "catalogue"},
	}
	for _, tt := range tests {
		if got := source(tt.environment, tt.service, tt.key); got != tt.want {
			t.Errorf("%s/%s %s comes from %s, want %s", tt.environment, tt.service, tt.key, got, tt.want)
		}
	}
	e, _ := c.Environment("sandbox")
	crm, _ := e.Service("crm")
	want := Share{Guarantee: Amount{Percent: 40}, Cap: Amount{Percent: 60}, Weight: 1}
	if got := crm.Quota.Shares["shop"]; got != want {
		t.Errorf("a share merges to %v, want %v", got, want)
	}
	if got := crm.Quota.MaxWait.Batch; got != 80*time.Second {
		t.Errorf("the wait is %v, want it cut to the total", got)
	}
	if got := c.Source("services.crm.quota.scope"); got != "IQGW_SERVICES__CRM__QUOTA__SCOPE" {
		t.Errorf("Config.Source says %s", got)
	}
	if got := c.Source("callers.shop.access[0].services.\"*\""); got != "conf/gateway.yaml:21" {
		t.Errorf("the source inside a list is %s", got)
	}
}

func TestVariables(t *testing.T) {
	c := mustLoad(t, LoadOptions{Environ: []string{
		"S=x",
		"IQGW_SERVICES__CRM__QUOTA__MAX=700",
		"IQGW_SERVICES__COMPANY_TREE__QUOTA__MAX=5", // an alias, and _ for -
		"IQGW_SERVER__LIMITS__MAX_BODY=1GiB",
		"IQGW_SERVER__HOSTS=a.example.com, b.example.com",
		`IQGW_CALLERS__NIGHTLY_SYNC__ACCESS=[{credential: retail, services: {crm: read}}]`,
		"IQGW_CALLERS__NIGHTLY_SYNC__CLASS=batch",
		"IQGW_SERVICES__CRM__QUOTA__SHARES__NIGHTLY_SYNC=10%",
		"IQGW_ADMIN__TOKEN=a-token",
		"IQGW_REPLICA=3", // no __: not a setting
		"OTHER__THING=1", // another prefix
		"IQGW_DEFAULTS__TIMEOUTS__TOTAL=none",
	}}, mergeDocument, nil)
	e, _ := c.Environment("production")
	crm, _ := e.Service("crm")
	tree, _ := e.Service("entitymanager")
	sync := c.Callers["nightly-sync"]
	tests := []struct {
		what      string
		got, want any
	}{
		{"number", crm.Quota.Max, 700},
		{"alias", tree.Quota.Max, 5},
		{"size", c.Server.Limits.MaxBody, Size(1 << 30)},
		{"list", c.Server.Hosts, []string{"a.example.com", "b.example.com"}},
		{"YAML list", sync.Access[0].Services, map[string]Grant{"crm": {Level: "read"}}},
		{"class", sync.Class, "batch"},
		{"shorthand", crm.Quota.Shares["nightly-sync"].Guarantee, Amount{Percent: 10}},
		{"secret", c.Admin.Token.Reveal(), "a-token"},
		{"none", c.Defaults.Timeouts.Total, time.Duration(0)},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.what, diff)
		}
	}
}

func TestBadVariablesAndFlags(t *testing.T) {
	tests := []struct{ variable, flag, want string }{
		{"IQGW_SERVER__HOTS=a:1", "", `IQGW_SERVER__HOTS: server.hots: unknown key (did you mean "hosts"?)`},
		{"IQGW_SERVICE__CRM__QUOTA__MAX=1", "", `IQGW_SERVICE__CRM__QUOTA__MAX: service: unknown key (did you mean "services"?)`},
		{"IQGW_SERVICES__CRM__QUOTA__MAX=many", "", `IQGW_SERVICES__CRM__QUOTA__MAX: services.crm.quota.max: "many" is no whole number`},
		{"IQGW_SERVICES__CRM=x", "", "IQGW_SERVICES__CRM: services.crm: is a mapping: set the keys below it one by one, such as IQGW_SERVICES__CRM__KEY"},
		{"IQGW_SERVER__HOSTS__0=x", "", "IQGW_SERVER__HOSTS__0: server.hosts.0: server.hosts has no keys below it"},
		{"IQGW_SERVICES__C.RM__QUOTA__MAX=1", "", `is no name`},
		{"IQGW_SERVER__HOSTS=[a", "", "IQGW_SERVER__HOSTS: server.hosts: is no YAML list"},
		{"IQGW_ADMIN__TOKEN=${env:GONE}", "", "IQGW_ADMIN__TOKEN: admin.token: refers to environment variable GONE, which is not set"},
		{"IQGW_CREDENTIALS__RETAIL_X__PASSWORD=x", "", "IQGW_CREDENTIALS__RETAIL_X__PASSWORD: credentials.retail-x.client_id: is missing: it is required"},
		{"IQGW_CALLERS__X__SHARE=20%", "", "IQGW_CALLERS__X__SHARE: callers.x.access: is missing: it is required"},
		{"IQGW_REDIS__TIMEOUT=50ms", "", "IQGW_REDIS__TIMEOUT: redis.addresses: is missing: it is required"},
		{"IQGW_ENVIRONMENTS__CRM__SUFFIX=x", "", "IQGW_ENVIRONMENTS__CRM__SUFFIX: environments.crm: is also the name of a service"},
		{"IQGW_CALLERS__SHOP__KEYS=foo", "", "IQGW_CALLERS__SHOP__KEYS: callers.shop.keys[0]: is a single value, expected a mapping: write a list of them, [{key: value}]"},
		{"IQGW_CALLERS__SHOP__KEYS=[foo]", "", "IQGW_CALLERS__SHOP__KEYS: callers.shop.keys[0]: is a single value, expected a mapping"},
		{"", "redis.timeout", "flag redis.timeout: redis.addresses: is missing: it is required"},
		{"", "server.adress", `flag server.adress: server.adress: unknown key (did you mean "address"?)`},
		{"", "server.lame_duck", `flag server.lame_duck: server.lame_duck: "x" is no duration`},
	}
	for _, tt := range tests {
		o := LoadOptions{Environ: []string{"S=x", tt.variable}}
		if tt.flag != "" {
			o.Flags = map[string]string{tt.flag: "x"}
		}
		_, _, err := loadText(t, o, mergeDocument, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s%s: error %v, want %s", tt.variable, tt.flag, err, tt.want)
		}
	}
	_, _, err := loadText(t, LoadOptions{Environ: []string{"S=x", "IQGW_ADMIN__PPROF=true", "IQGW_admin__pprof=false"}}, mergeDocument, nil)
	if err == nil || !strings.Contains(err.Error(), "IQGW_admin__pprof: admin.pprof: is also set by IQGW_ADMIN__PPROF: remove one") {
		t.Errorf("two variables for one setting: %v", err)
	}
}

func TestIncludes(t *testing.T) {
	const main = "version: 1\ninclude: [callers.d/*.yaml, more.yaml]\nserver: {lame_duck: 1s}\n"
	files := fakeFiles{
		"conf/callers.d/b.yaml": "callers:\n  b: {keys: [], access: [{credential: passthrough, until: \"2099-12-31\", environment: rc, services: {crm: read}}]}\n",
		"conf/callers.d/a.yaml": "callers:\n  a: {keys: [], access: [{credential: passthrough, until: \"2099-12-31\", environment: rc, services: {crm: read}}]}\nx-note: {}\n",
		"conf/callers.d/c.yaml": "# nobody yet\n",
		"conf/callers.d/d.yaml": "",
		"conf/more.yaml":        "version: 1\nserver: {drain_timeout: 2s}\nservices: {crm: {quota: {max: 3}}}\n",
	}
	c := mustLoad(t, LoadOptions{}, main, files)
	if diff := cmp.Diff([]string{"conf/gateway.yaml", "conf/callers.d/a.yaml", "conf/callers.d/b.yaml", "conf/callers.d/c.yaml", "conf/callers.d/d.yaml", "conf/more.yaml"}, c.Paths); diff != "" {
		t.Errorf("paths (-want +got)\n%s", diff)
	}
	if len(c.Callers) != 2 || c.Server.LameDuck != time.Second || c.Server.DrainTimeout != 2*time.Second {
		t.Errorf("merged to %d callers, %v, %v", len(c.Callers), c.Server.LameDuck, c.Server.DrainTimeout)
	}
	if got := c.Source("server.drain_timeout"); got != "conf/more.yaml:2" {
		t.Errorf("source %s", got)
	}
}

// A mapping that a variable writes into, below one that the program brings,
// counts as written.
func TestVariablePlacesMappings(t *testing.T) {
	c := mustLoad(t, LoadOptions{Environ: []string{"S=x", "IQGW_ENVIRONMENTS__RC__RESOLVER=10.0.0.1:53", "IQGW_SERVICES__CRM__HOST=crm2"}}, mergeDocument, nil)
	for path, want := range map[string]string{
		"environments.rc":         "IQGW_ENVIRONMENTS__RC__RESOLVER",
		"environments.rc.suffix":  "catalogue",
		"environments.production": "catalogue",
		"services.crm":            "conf/gateway.yaml:6",
		"services.crm.host":       "IQGW_SERVICES__CRM__HOST",
		"redis":                   "default",
	} {
		if got := c.Source(path); got != want {
			t.Errorf("%s comes from %s, want %s", path, got, want)
		}
	}
}

func TestIncludesRefused(t *testing.T) {
	tests := []struct{ name, include, text, want string }{
		{"a setting twice", "more.yaml", "server: {lame_duck: 2s}", "conf/more.yaml:1: server.lame_duck: is already given in conf/gateway.yaml:3: a key stands in one file"},
		{"a caller in two files", "more.yaml", "callers:\n  shop: {class: batch}", "conf/more.yaml:2: callers.shop: is already given in conf/gateway.yaml:5: a key stands in one file"},
		{"another version", "more.yaml", "version: 2", "conf/more.yaml:1: version: is already given in conf/gateway.yaml:1"},
		{"nested include", "more.yaml", "include: [x.yaml]", "conf/more.yaml:1: include: stands in an included file"},
		{"unknown key", "more.yaml", "servers: {}", `conf/more.yaml:1: servers: unknown key (did you mean "server"?)`},
		{"missing file", "less.yaml", "", "conf/less.yaml: cannot be read: no such file"},
		{"broken pattern", "'[a'", "", `conf/gateway.yaml:2: include[0]: "[a" is no pattern of file names`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			main := "version: 1\ninclude: [" + tt.include + "]\nserver: {lame_duck: 1s}\ncallers:\n  shop: {access: [{credential: passthrough, until: \"2099-12-31\", environment: rc, services: {crm: read}}]}\n"
			_, _, err := loadText(t, LoadOptions{}, main, fakeFiles{"conf/more.yaml": tt.text})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// Anchors, << and x- keys.
func TestAnchors(t *testing.T) {
	c := mustLoad(t, LoadOptions{}, `version: 1
x-slow: &slow {response_header: 5m, body_idle: 4m}
services:
  crm:
    x-note: [anything, {goes: here}]
    timeouts: {<<: *slow, body_idle: 3m}
  catalogs:
    timeouts: *slow
`, nil)
	e, _ := c.Environment("rc")
	crm, _ := e.Service("crm")
	catalogs, _ := e.Service("catalogs")
	if crm.Timeouts.ResponseHeader != 5*time.Minute || crm.Timeouts.BodyIdle != 3*time.Minute || catalogs.Timeouts.BodyIdle != 4*time.Minute {
		t.Errorf("crm %+v, catalogs %+v", crm.Timeouts, catalogs.Timeouts)
	}
	if got := catalogs.Source("timeouts.body_idle"); got != "conf/gateway.yaml:2" {
		t.Errorf("source %s", got)
	}
}
