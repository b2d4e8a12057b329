package config

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What may be sent twice although nobody knows whether it was executed: these
// writes and no others.
func TestReplayableWrites(t *testing.T) {
	want := map[string][]string{
		"catalogs":             {"DELETE /v1/Companies({company})/Catalog/Items({item})/attributes"},
		"productsubscriptions": {"PUT /v1/subscribablelists({list})"},
		"carrierservices":      {"PUT /v2/Companies({company})/Locations({location})/Carriers({carrier})/Activations({activation})"},
		"covaorderintake":      {"PUT /v1/TIPCovaOrder({order})", "PUT /v1/TEPCovaOrder({order})"},
	}
	c := builtinConfig(t)
	for _, name := range []string{"production", "sandbox", "rc"} {
		env, _ := c.Environment(name)
		got := map[string][]string{}
		for _, s := range env.Services() {
			for _, r := range s.Replayable {
				got[s.Name] = append(got[s.Name], r.Method+" "+r.Path.String())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The provider's order flow and every other write that counts up, by its
// documented path: none of them may match a rule.
func TestWritesThatCountUpAreNotReplayable(t *testing.T) {
	c := builtinConfig(t)
	replayable := func(service_, method, path string) bool {
		for _, r := range service(t, c, "production", service_).Replayable {
			if r.Method == method && r.Path.Match(path) {
				return true
			}
		}
		return false
	}
	for _, w := range []struct{ service, method, path string }{
		{"order", http.MethodPost, "/v1/Companies(1)/Orders"},
		{"order", http.MethodPost, "/v1/Companies(1)/OrderFull"},
		{"order", http.MethodPost, "/v1/Companies(1)/Orders(7f)/Items"},
		{"order", http.MethodPost, "/v1/Companies(1)/Orders(7f)/Process"},
		{"order", http.MethodPut, "/v1/Companies(1)/Orders(7f)"},
		{"crm", http.MethodPost, "/v1/Companies(1)/Customers"},
		{"crm", http.MethodPut, "/v1/Companies(1)/CustomerFull(7f)"},
		{"salesorder", http.MethodPost, "/v1/Companies(1)/SaleOrder"},
		{"ams", http.MethodPost, "/assets"},
		{"payments", http.MethodPost, "/v1/Companies(1)/Payments"},
		{"rqinventoryadjustment", http.MethodPost, "/Companies(1)/InventoryAdjustments"},
		{"catalogs", http.MethodPut, "/v1/Companies(1)/Catalog/Items(7f)/attributes"},
		{"catalogs", http.MethodDelete, "/v1/Companies(1)/Catalog/Items(7f)"},
		{"catalogs", http.MethodPost, "/v1/Companies(1)/Catalog/Items(7f)/attributes"},
		{"productsubscriptions", http.MethodPut, "/v1/subscribablelists(7f)/products"},
		{"productsubscriptions", http.MethodDelete, "/v1/subscribablelists(7f)"},
		{"covaorderintake", http.MethodPost, "/v1/CovaOrder"},
		{"covaorderintake", http.MethodPost, "/v1/CovaOrderPayment"},
		{"covaorderintake", http.MethodPost, "/v1/TIPCovaOrder(7f)"},
		{"covaorderintake", http.MethodPost, "/v1/TEPCovaOrder(7f)"},
		{"carrierservices", http.MethodPost, "/v2/Companies(1)/Locations(2)/Carriers(3)/Activations"},
	} {
		if replayable(w.service, w.method, w.path) {
			t.Errorf("%s: %s %s would be repeated", w.service, w.method, w.path)
		}
	}
	for _, w := range []struct{ service, method, path string }{
		{"productsubscriptions", http.MethodPut, "/v1/subscribablelists(2c7dccd9-49ba-42ac-bffb-edcc08f40773)"},
		{"catalogs", http.MethodDelete, "/v1/Companies(14146)/Catalog/Items(a183f1a9-c58f-426a-930a-9a6357db52ed)/attributes"},
		{"carrierservices", http.MethodPut, "/v2/Companies(123)/Locations(5678)/Carriers(41)/Activations(6=1115550123)"},
		{"covaorderintake", http.MethodPut, "/v1/TIPCovaOrder(7f8bd1c2-1b0a-4f5c-9d2e-5a1f5e0d9a11)"},
		{"covaorderintake", http.MethodPut, "/v1/TEPCovaOrder(7f8bd1c2-1b0a-4f5c-9d2e-5a1f5e0d9a11)"},
	} {
		if !replayable(w.service, w.method, w.path) {
			t.Errorf("%s: %s %s is not replayable", w.service, w.method, w.path)
		}
	}
}
