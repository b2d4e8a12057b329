package helm

import (
	"bytes"
	"encoding/json"
	"fmt"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// kinds are all that the chart may render, with the types that they are for
// Kubernetes. Of the resources of others they are what the chart uses of them.
func kinds() map[string]func() any {
	return map[string]func() any{
		"apps/v1 Deployment":                     func() any { return &apps.Deployment{} },
		"autoscaling/v2 HorizontalPodAutoscaler": func() any { return &autoscaling.HorizontalPodAutoscaler{} },
		"batch/v1 Job":                           func() any { return &batch.Job{} },
		"networking.k8s.io/v1 NetworkPolicy":     func() any { return &networking.NetworkPolicy{} },
		"policy/v1 PodDisruptionBudget":          func() any { return &policy.PodDisruptionBudget{} },
		"v1 ConfigMap":                           func() any { return &core.ConfigMap{} },
		"v1 PersistentVolumeClaim":               func() any { return &core.PersistentVolumeClaim{} },
		"v1 Pod":                                 func() any { return &core.Pod{} },
		"v1 Service":                             func() any { return &core.Service{} },
		"v1 ServiceAccount":                      func() any { return &core.ServiceAccount{} },

		"cert-manager.io/v1 Certificate":          func() any { return &Certificate{} },
		"cilium.io/v2 CiliumNetworkPolicy":        func() any { return &CiliumNetworkPolicy{} },
		"monitoring.coreos.com/v1 PrometheusRule": func() any { return &PrometheusRule{} },
		"monitoring.coreos.com/v1 ServiceMonitor": func() any { return &ServiceMonitor{} },
		"projectcalico.org/v3 NetworkPolicy":      func() any { return &CalicoNetworkPolicy{} },
	}
}

// Decode reads a document strictly: a key twice, a field that the type does not
// have, or one written in another case is an error.
func (d Document) Decode() (any, error) {
	var kind meta.TypeMeta
	if err := yaml.Unmarshal([]byte(d.Text), &kind); err != nil {
		return nil, fmt.Errorf("%s %s: %w", d.Kind, d.Name, err)
	}
	newObject, ok := kinds()[kind.APIVersion+" "+kind.Kind]
	if !ok {
		return nil, fmt.Errorf("%s %s is nothing that the chart should render", kind.APIVersion, kind.Kind)
	}
	into := newObject()
	text, err := yaml.YAMLToJSONStrict([]byte(d.Text))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", d.Kind, d.Name, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return nil, fmt.Errorf("%s %s: %w", d.Kind, d.Name, err)
	}
	return into, nil
}
