package helm_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"iqgateway/test/helm"
	"iqgateway/test/rig"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	rig.Must(t, err)
	return string(text)
}

// `helm lint --strict`: not even a warning.
func TestLint(t *testing.T) {
	t.Parallel()
	for _, variant := range variants {
		for _, m := range lint.AllWithKubeVersion(helm.Chart, values(t, variant, ""), "gateways", nil).Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("%s: %v", variant, m)
			}
		}
	}
}

// A wrong value is refused before anything is installed, by its name.
func TestWrongValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ variant, values, says string }{
		{"default", "replicas: 2", "additional properties 'replicas' not allowed"},
		{"default", "tls: {mode: selfsigned}", "tls/mode"},
		{"default", "image: {tagg: x}", "additional properties 'tagg' not allowed"},
		{"default", "resources: {limits: {memory: 1G}}", "resources/limits/memory"},
		{"default", "networkPolicy: {flavor: antrea}", "networkPolicy/flavor"},
		{"default", "networkPolicy: {callers: [{}]}", "networkPolicy/callers/0"},
		{"default", "networkPolicy: {flavor: cilium, dns: [{ipBlock: {cidr: 169.254.20.10/32}}]}", "networkPolicy.dns by namespaceSelector"},
		{"default", "service: {port: 0}", "service/port"},
		{"default", "doctor: {hooks: []}", "doctor/hooks"},
		{"default", "config: {status: {address: x}}", "config.status is set by the chart"},
		{"default", "config: {server: {tls: {mode: none}}}", "use tls"},
		{"default", "config: {server: {address: ':1'}}", "service.port is what callers use"},
		{"default", "replicaCount: 2", "or each spends the whole quota"},
		{"default", "autoscaling: {enabled: true}", "or each spends the whole quota"},
		{"default", "tls: {mode: secret}", "tls.secretName"},
		{"default", "tls: {mode: certManager}", "issuerRef.name"},
		{"default", "tls: {mode: acme}", "tls.acme.domains"},
		{"default", "tls: {mode: acme, acme: {domains: [a.example]}}", "a new certificate at each start"},
		{"default", "tls: {additionalSecrets: [a]}", "needs tls.mode"},
		{"default", "redis: {enabled: true}", "redis.existingSecret"},
		{"acme-cluster", "redis: {enabled: true, existingSecret: a}", "choose one"},
		{"acme-cluster", "tls: {mode: selfSigned}", "an authority of its own"},
		{"acme-cluster", "persistence: {enabled: true}", "for one replica"},
		{"acme-cluster", "config: {redis: {password: hunter2}}", "config.redis.password is a literal secret"},
		{"acme-cluster", "config: {redis: {encryption_keys: [AAAA]}}", "config.redis.encryption_keys is a literal secret"},
		{"files-alone", "config: {credentials: {sandbox: {client_secret: hunter2}}}", "config.credentials.sandbox.client_secret is a literal secret"},
		{"files-alone", "config: {auth: {token_endpoint: {signing_key: AAAA}}}", "signing_key is a literal secret"},
	} {
		_, err := helm.Render(values(t, c.variant, c.values))
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), ".", "/"), strings.ReplaceAll(c.says, ".", "/")) {
			t.Errorf("%s with %s: %v", c.variant, c.values, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the secret", c.values)
		}
	}
}

// What the schema of the configuration calls a secret must be a reference.
func TestLiteralsAreKnown(t *testing.T) {
	t.Parallel()
	checks := read(t, filepath.Join(helm.Chart, "templates", "_checks.tpl"))
	schemas, err := filepath.Glob("../../config/schema*.go")
	rig.Must(t, err)
	n := 0
	for _, name := range schemas {
		for _, m := range regexp.MustCompile("(?m)^\t\\w+ +(?:\\[\\])?(?:Secret|Key) +`yaml:\"(\\w+)\"([^`]*)`").FindAllStringSubmatch(read(t, name), -1) {
			n++
			if !strings.Contains(m[2], `literal:"ok"`) && !strings.Contains(checks, `"`+m[1]+`"`) {
				t.Errorf("%s: a literal %s gets into the ConfigMap", name, m[1])
			}
		}
	}
	if n < 10 {
		t.Errorf("%d secrets", n)
	}
}

// The README has every value, with its default.
func TestReadmeHasAllValues(t *testing.T) {
	t.Parallel()
	readme := read(t, filepath.Join(helm.Chart, "README.md"))
	all := map[string]any{}
	rig.Must(t, yaml.UnmarshalStrict([]byte(read(t, filepath.Join(helm.Chart, "values.yaml"))), &all))
	var walk func(prefix string, v map[string]any)
	walk = func(prefix string, v map[string]any) {
		for key, value := range v {
			below, ok := value.(map[string]any)
			if ok && len(below) > 0 && !strings.Contains(readme, "`"+prefix+key+"`") {
				walk(prefix+key+".", below)
			} else if !strings.Contains(readme, "`"+prefix+key+"`") {
				t.Errorf("the README does not know %s%s", prefix, key)
			}
		}
	}
	walk("", all)
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Za-z0-9.]+)` \\|").FindAllStringSubmatch(readme, -1) {
		at := any(all)
		for part := range strings.SplitSeq(m[1], ".") {
			below, _ := at.(map[string]any)
			var ok bool
			if at, ok = below[part]; !ok {
				t.Errorf("the README has %s, which is no value", m[1])
				break
			}
		}
	}
}

// Rules and dashboards are those of deploy/observability, and the rules know the
// gateways by the name that the ServiceMonitor gives them.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	documents := render(t, "everything", "")
	var source struct{ Groups []struct{ Name string } }
	rig.Must(t, yaml.Unmarshal([]byte(read(t, "../../deploy/observability/prometheus/rules.yaml")), &source))
	rules := object[*helm.PrometheusRule](t, documents, "iq")
	if len(rules.Spec.Groups) == 0 || len(rules.Spec.Groups) != len(source.Groups) {
		t.Errorf("%d of %d groups", len(rules.Spec.Groups), len(source.Groups))
	}
	for _, g := range rules.Spec.Groups {
		for _, r := range g.Rules {
			if link := r.Annotations["runbook_url"]; r.Alert != "" && !strings.HasPrefix(link, "https://git.corp.example/iqgateway/blob/main/docs/") {
				t.Errorf("%s leads to %q", r.Alert, link)
			}
			if strings.Contains(r.Expr, "job=") && !strings.Contains(r.Expr, `job="iqgateway"`) {
				t.Errorf("%s%s asks for another job", r.Alert, r.Record)
			}
		}
	}
	monitor := object[*helm.ServiceMonitor](t, documents, "iq")
	status := object[*core.Service](t, documents, "iq-status")
	for key, value := range monitor.Spec.Selector.MatchLabels {
		if status.Labels[key] != value {
			t.Errorf("the monitor wants %s: %s", key, value)
		}
	}
	if job := status.Labels[monitor.Spec.JobLabel]; job != "iqgateway" {
		t.Errorf("the job is %q", job)
	}
	dashboards, err := filepath.Glob("../../deploy/observability/grafana/dashboards/*.json")
	rig.Must(t, err)
	for _, path := range dashboards {
		file := filepath.Base(path)
		c := object[*core.ConfigMap](t, documents, "iq-"+strings.TrimSuffix(file, ".json"))
		if strings.TrimSpace(c.Data[file]) != strings.TrimSpace(read(t, path)) || c.Labels["grafana_dashboard"] != "1" {
			t.Errorf("%s is another one", file)
		}
	}
	if len(dashboards) < 6 {
		t.Errorf("%d dashboards", len(dashboards))
	}
}

// A first certificate: the CA reaches pods that are not ready, and is let in, where
// challenges are answered and nowhere else.
func TestChallenge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		more, port string
	}{{"", "challenge"}, {"tls: {acme: {http01: false}}", "callers"}} {
		documents := render(t, "acme-cluster", c.more)
		s := object[*core.Service](t, documents, "gw-challenge")
		if !s.Spec.PublishNotReadyAddresses || len(s.Spec.Ports) != 1 || s.Spec.Ports[0].TargetPort.String() != c.port {
			t.Errorf("%v", s.Spec)
		}
		n := object[*networking.NetworkPolicy](t, documents, "gw")
		last := n.Spec.Ingress[len(n.Spec.Ingress)-1]
		if want := map[string]int{"challenge": 8080, "callers": 8443}[c.port]; len(last.From) != 0 || last.Ports[0].Port.IntValue() != want {
			t.Errorf("%v", last)
		}
	}
}

// Policies by name allow the environments of the credentials, and no others.
func TestHosts(t *testing.T) {
	t.Parallel()
	var names []string
	for _, rule := range object[*helm.CiliumNetworkPolicy](t, render(t, "everything", ""), "iq-upstreams").Spec.Egress {
		for _, f := range rule.ToFQDNs {
			names = append(names, f.MatchName)
		}
	}
	all := strings.Join(names, " ")
	for _, want := range []string{"accounts.iqmetrix.net", "crm.iqmetrix.net", "iq-staging.corp.example"} {
		if !strings.Contains(all, want) {
			t.Errorf("%s cannot be reached", want)
		}
	}
	if strings.Contains(all, "crmdemo") {
		t.Error("the sandbox can be reached, for which there is no credential")
	}
}

// A policy by name leaves the way to the CA open, or there is never a certificate.
func TestDirectoryIsReached(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]string{
		"tls: {acme: {directory: ''}}":                               "acme-v02.api.letsencrypt.org",
		"tls: {acme: {directory: 'https://ca.corp.example/acme/d'}}": "ca.corp.example",
	} {
		documents := render(t, "acme-cluster", more+"\nnetworkPolicy: {flavor: calico}")
		domains := object[*helm.CalicoNetworkPolicy](t, documents, "gw-upstreams").Spec.Egress[0].Destination.Domains
		if !slices.Contains(domains, want) {
			t.Errorf("%s cannot be reached: %q", want, domains)
		}
	}
}

// Cilium answers for DNS where networkPolicy.dns says, as the other flavors do.
func TestCiliumDNS(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]map[string]string{
		"": {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s:k8s-app": "kube-dns"},
		"networkPolicy: {dns: [{namespaceSelector: {matchLabels: {role: dns}}, podSelector: {matchLabels: {app: coredns}}}]}": {
			"k8s:io.cilium.k8s.namespace.labels.role": "dns", "k8s:app": "coredns",
		},
	} {
		policy := object[*helm.CiliumNetworkPolicy](t, render(t, "everything", more), "iq-upstreams")
		if to := policy.Spec.Egress[0].ToEndpoints; len(to) != 1 || !maps.Equal(to[0].MatchLabels, want) {
			t.Errorf("%q: %v", more, to)
		}
	}
}

// The doctor looks before an upgrade, not before a first installation, when what it
// needs does not exist yet.
func TestDoctor(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]bool{"": true, "doctor: {enabled: false}": false} {
		found := false
		for _, d := range render(t, "default", more) {
			found = found || d.Kind == "Job" && strings.Contains(d.Text, "helm.sh/hook: pre-upgrade\n")
		}
		if found != want {
			t.Errorf("%q: %v", more, found)
		}
	}
}

// What is said after an installation is about it.
func TestNotes(t *testing.T) {
	t.Parallel()
	for variant, want := range map[string]string{
		"default": "a new one at each start", "acme-cluster": "gw-challenge under iq.corp.example",
		"files-alone": "needs Calico Enterprise", "everything": "https://iq.gateways.svc:8443\n",
	} {
		if notes, err := helm.Notes(values(t, variant, "")); err != nil || !strings.Contains(notes, want) {
			t.Errorf("%s: %v\n%s", variant, err, notes)
		}
	}
}
