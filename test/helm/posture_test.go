package helm_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"

	"iqgateway/test/helm"
	"iqgateway/test/rig"
)

// pods are the specifications of all pods of a variant, by name.
func pods(t *testing.T, documents []helm.Document) map[string]core.PodSpec {
	t.Helper()
	found := map[string]core.PodSpec{}
	for _, d := range documents {
		o, err := d.Decode()
		rig.Must(t, err)
		switch o := o.(type) {
		case *apps.Deployment:
			found[d.Name] = o.Spec.Template.Spec
		case *batch.Job:
			found[d.Name] = o.Spec.Template.Spec
		case *core.Pod:
			found[d.Name] = o.Spec
		}
	}
	return found
}

// open returns what SEC-65 does not allow a pod.
func open(spec *core.PodSpec, token bool) []string {
	var wrong []string
	want := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, what)
		}
	}
	is := func(b *bool, want bool) bool { return b != nil && *b == want }
	want(is(spec.AutomountServiceAccountToken, token), "a service account's token")
	want(is(spec.EnableServiceLinks, false), "variables of all services")
	want(!spec.HostNetwork && !spec.HostPID && !spec.HostIPC, "a namespace of the host")
	s := spec.SecurityContext
	want(s != nil && is(s.RunAsNonRoot, true) && s.RunAsUser != nil && *s.RunAsUser > 0, "root")
	want(s != nil && s.SeccompProfile != nil && s.SeccompProfile.Type == core.SeccompProfileTypeRuntimeDefault, "all system calls")
	for i := range spec.Volumes {
		v := &spec.Volumes[i]
		want(v.HostPath == nil, "files of the host")
		want(v.Secret == nil || v.Secret.DefaultMode != nil && *v.Secret.DefaultMode == 0o440, "readable secret "+v.Name)
	}
	for i := range spec.Containers {
		c := &spec.Containers[i]
		s := c.SecurityContext
		want(s != nil && is(s.AllowPrivilegeEscalation, false) && !is(s.Privileged, true), "more privileges")
		want(s != nil && is(s.ReadOnlyRootFilesystem, true), "a root file system to write to")
		want(s != nil && s.Capabilities != nil && slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) && s.Capabilities.Add == nil, "capabilities")
		want(!c.Resources.Limits.Memory().IsZero() && !c.Resources.Requests.Memory().IsZero() && !c.Resources.Requests.Cpu().IsZero(), "all resources")
		for _, m := range c.VolumeMounts {
			want(m.SubPath == "", "a file that is not followed: "+m.Name)
			want(m.ReadOnly || m.Name == "data" || m.Name == "tmp", "a volume to write to: "+m.Name)
		}
	}
	return wrong
}

// SEC-65: no pod of any variant has more than it needs.
func TestSEC65Pods(t *testing.T) {
	t.Parallel()
	for _, variant := range variants {
		for name, spec := range pods(t, render(t, variant, "")) {
			token := variant == "everything" && (name == "iq" || name == "iq-doctor")
			for _, wrong := range open(&spec, token) {
				t.Errorf("%s: pod %s has %s", variant, name, wrong)
			}
		}
	}
}

// What SEC-65 does not allow is found.
func TestOpen(t *testing.T) {
	bare := core.PodSpec{
		HostNetwork: true,
		Containers:  []core.Container{{VolumeMounts: []core.VolumeMount{{Name: "config", SubPath: "gateway.yaml"}}}},
		Volumes:     []core.Volume{{VolumeSource: core.VolumeSource{HostPath: &core.HostPathVolumeSource{}, Secret: &core.SecretVolumeSource{}}}},
	}
	if wrong := open(&bare, false); len(wrong) != 13 {
		t.Errorf("%d: %q", len(wrong), wrong)
	}
}

// SEC-65: by default pods are disrupted one by one, spread, and reached by those
// who are named alone.
func TestSEC65Defaults(t *testing.T) {
	t.Parallel()
	documents := render(t, "default", "")
	spec := object[*apps.Deployment](t, documents, "gw").Spec.Template.Spec
	if n := len(spec.TopologySpreadConstraints); n != 2 {
		t.Errorf("%d constraints of topology", n)
	}
	if b := object[*policy.PodDisruptionBudget](t, documents, "gw"); b.Spec.MaxUnavailable.IntValue() != 1 {
		t.Errorf("%v", b.Spec)
	}
	n := object[*networking.NetworkPolicy](t, documents, "gw")
	if len(n.Spec.PolicyTypes) != 2 {
		t.Errorf("%v is not closed both ways", n.Spec.PolicyTypes)
	}
	for _, in := range n.Spec.Ingress {
		if len(in.From) == 0 || len(in.Ports) == 0 {
			t.Errorf("everybody may connect: %v", in)
		}
	}
	for _, out := range n.Spec.Egress {
		if len(out.To) == 0 || len(out.Ports) == 0 {
			t.Errorf("it may go everywhere: %v", out)
		}
		for _, to := range out.To {
			if to.IPBlock != nil && !slices.Contains(to.IPBlock.Except, "169.254.0.0/16") {
				t.Errorf("it may ask the cloud's metadata: %v", to.IPBlock)
			}
		}
	}
}

// The orchestrator waits longer than the gateway takes to end, whatever it was
// told, and asks the status listener alone.
func TestLifetime(t *testing.T) {
	t.Parallel()
	for variant, want := range map[string]int64{"default": 10 + 30 + 10, "files-alone": 90 + 120 + 10, "everything": 90} {
		name := map[string]string{"everything": "iq"}[variant]
		spec := object[*apps.Deployment](t, render(t, variant, ""), max(name, "gw")).Spec.Template.Spec
		if *spec.TerminationGracePeriodSeconds != want {
			t.Errorf("%s: %d s, not %d", variant, *spec.TerminationGracePeriodSeconds, want)
		}
		c := spec.Containers[0]
		for _, probe := range []*core.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Port.String() != "status" {
				t.Errorf("%s: %v", variant, probe)
			}
		}
		if p := c.ReadinessProbe; p.FailureThreshold < 2 || p.PeriodSeconds*p.FailureThreshold >= 10 {
			t.Errorf("%s: one slow answer takes a replica away, or the lame duck is over first: %v", variant, p)
		}
	}
}

// Go's own limit of memory is below the container's, in both units.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	for limit, want := range map[string]string{"1Gi": "921MiB", "512Mi": "460MiB"} {
		spec := object[*apps.Deployment](t, render(t, "default", fmt.Sprintf("resources: {limits: {memory: %s}}", limit)), "gw").Spec.Template.Spec
		if got := spec.Containers[0].Env[0]; got.Name != "GOMEMLIMIT" || got.Value != want {
			t.Errorf("%s: %v, not %s", limit, got, want)
		}
	}
}

// A change that a reload takes over restarts nothing; one that it leaves does.
func TestRestartsOnlyWhereNeeded(t *testing.T) {
	t.Parallel()
	sum := func(variant, more string) string {
		return object[*apps.Deployment](t, render(t, variant, more), "gw").Spec.Template.Annotations["checksum/fixed-settings"]
	}
	for _, c := range []struct {
		variant, more string
		restarts      bool
	}{
		{"acme-cluster", "config: {callers: {storefront: {blocked: true}}}", false},
		{"acme-cluster", "config: {telemetry: {logs: {level: debug}}}", false},
		{"acme-cluster", "config: {server: {hosts: [a.example]}}", false},
		{"acme-cluster", "config: {server: {limits: {max_body: 1MiB}}}", false},
		{"default", "config: {server: {hosts: [a.example]}}", true},
		{"acme-cluster", "config: {server: {lame_duck: 20s}}", true},
		{"acme-cluster", "config: {server: {limits: {max_memory: 512MiB}}}", true},
		{"acme-cluster", "config: {redis: {timeout: 20ms}}", true},
		{"acme-cluster", "config: {telemetry: {logs: {format: text}}}", true},
		{"acme-cluster", "config: {telemetry: {audit: {output: none}}}", true},
		{"acme-cluster", "tls: {clientCASecret: callers-ca}", true},
	} {
		if restarts := sum(c.variant, "") != sum(c.variant, c.more); restarts != c.restarts {
			t.Errorf("%s restarts: %v", c.more, restarts)
		}
	}
}

// The list of what only a restart changes is the gateway's own.
func TestFixedSettings(t *testing.T) {
	t.Parallel()
	code, chart := read(t, "../../cmd/gateway/reload_fixed.go"), read(t, "../../deploy/helm/iqgateway/templates/_config.tpl")
	_, chart, _ = strings.Cut(chart, `define "iqgateway.fixed"`)
	_, list, begins := strings.Cut(code, "fixed := []string{")
	list, _, ends := strings.Cut(list, "}")
	if !begins || !ends {
		t.Fatal("no list of fixed settings")
	}
	keys := regexp.MustCompile(`"([a-z_.]+)"`).FindAllStringSubmatch(list, -1)
	if len(keys) < 15 {
		t.Fatalf("%d fixed settings", len(keys))
	}
	for _, key := range keys {
		last := key[1][strings.LastIndex(key[1], ".")+1:]
		if !strings.Contains(chart, `"`+last+`"`) {
			t.Errorf("a change of %s does not restart the pods", key[1])
		}
	}
}
