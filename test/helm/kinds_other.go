package helm

import meta "k8s.io/apimachinery/pkg/apis/meta/v1"

// What the chart uses of resources whose own Go types would bring whole operators
// along. A field that is not here has not been compared with their documentation.

// Certificate is cert-manager's.
type Certificate struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		SecretName string                             `json:"secretName"`
		IssuerRef  struct{ Name, Kind, Group string } `json:"issuerRef"`
		DNSNames   []string                           `json:"dnsNames"`
		Duration   *meta.Duration                     `json:"duration"`
		PrivateKey struct {
			Algorithm      string `json:"algorithm"`
			Size           int    `json:"size"`
			RotationPolicy string `json:"rotationPolicy"`
		} `json:"privateKey"`
		Usages []string `json:"usages"`
	} `json:"spec"`
}

// ServiceMonitor is the Prometheus operator's.
type ServiceMonitor struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		JobLabel  string             `json:"jobLabel"`
		Selector  meta.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port     string `json:"port"`
			Path     string `json:"path"`
			Interval string `json:"interval"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// PrometheusRule is the Prometheus operator's.
type PrometheusRule struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		Groups []struct {
			Name     string `json:"name"`
			Interval string `json:"interval"`
			Rules    []Rule `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

// Rule records or alerts.
type Rule struct {
	Record        string            `json:"record"`
	Alert         string            `json:"alert"`
	Expr          string            `json:"expr"`
	For           string            `json:"for"`
	KeepFiringFor string            `json:"keep_firing_for"`
	Labels        map[string]string `json:"labels"`
	Annotations   map[string]string `json:"annotations"`
}

// CiliumNetworkPolicy is Cilium's.
type CiliumNetworkPolicy struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		EndpointSelector meta.LabelSelector `json:"endpointSelector"`
		Egress           []struct {
			ToEndpoints []meta.LabelSelector `json:"toEndpoints"`
			ToFQDNs     []struct {
				MatchName    string `json:"matchName"`
				MatchPattern string `json:"matchPattern"`
			} `json:"toFQDNs"`
			ToPorts []struct {
				Ports []struct{ Port, Protocol string } `json:"ports"`
				Rules struct {
					DNS []struct {
						MatchPattern string `json:"matchPattern"`
					} `json:"dns"`
				} `json:"rules"`
			} `json:"toPorts"`
		} `json:"egress"`
		EgressDeny []struct {
			ToCIDR []string `json:"toCIDR"`
		} `json:"egressDeny"`
	} `json:"spec"`
}

// CalicoNetworkPolicy is Calico's.
type CalicoNetworkPolicy struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		Order    *float64 `json:"order"`
		Selector string   `json:"selector"`
		Types    []string `json:"types"`
		Egress   []struct {
			Action      string `json:"action"`
			Protocol    string `json:"protocol"`
			Destination struct {
				Nets    []string `json:"nets"`
				Ports   []int    `json:"ports"`
				Domains []string `json:"domains"`
			} `json:"destination"`
		} `json:"egress"`
	} `json:"spec"`
}
