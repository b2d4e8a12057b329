package iqsim

import (
	"net/http"
	"testing"
)

func TestTreeNodes(t *testing.T) {
	const company = "/entitymanager/v1/Companies(14146)"
	runCases(t, []retailCase{
		{name: "a location", target: company + "/Tree/Nodes(14203)", status: 200, claims: []string{"Name=Grasslands", "Version=1", "Role=Location"}},
		{name: "the root", target: company + "/Tree/Nodes(14146)", status: 200, claims: []string{"Name=Kentel Corp", "Version=7"}},
		{name: "unknown", target: company + "/Tree/Nodes(1)", status: 404},
		{
			name:   "update with the Version that was read",
			method: http.MethodPut, target: company + "/Tree/Nodes(14203)",
			body:   `{"Id":14203,"Name":"Grasslands East","Description":"moved","Version":1}`,
			status: 200, claims: []string{"Version=2", "Name=Grasslands East"},
		},
		{
			name:   "the location is the same entity, and keeps what a node does not show",
			target: company + "/Locations(14203)", status: 200,
			claims: []string{"Version=2", "Name=Grasslands East", "Description=moved", "StoreType=Mall"},
		},
		{name: "the tree shows it", target: company + "/Tree", status: 200, claims: []string{"Nodes.1.Version=2", "Nodes.1.Name=Grasslands East"}},
		{
			name:   "update with a stale Version",
			method: http.MethodPut, target: company + "/Tree/Nodes(14203)", body: `{"Name":"Lost","Version":1}`, status: 409,
			claims: []string{"Message=" + messageStale},
		},
		{name: "update without a Version", method: http.MethodPut, target: company + "/Tree/Nodes(14203)", body: `{"Name":"Lost"}`, status: 409},
		{
			name:   "a write of the location counts too",
			method: http.MethodPut, target: company + "/Locations(14203)", body: `{"Name":"Grasslands","Version":2}`, status: 200,
			claims: []string{"Version=3"},
		},
		{name: "so that this Version is stale", method: http.MethodPut, target: company + "/Tree/Nodes(14203)", body: `{"Name":"Lost","Version":2}`, status: 409},
		{
			name:   "update the root",
			method: http.MethodPut, target: company + "/Tree/Nodes(14146)", body: `{"Name":"Kentel","Version":7}`, status: 200,
			claims: []string{"Version=8", "Name=Kentel"},
		},
		{name: "update an unknown one", method: http.MethodPut, target: company + "/Tree/Nodes(1)", body: `{"Name":"x","Version":1}`, status: 404},
		{name: "update without a name", method: http.MethodPut, target: company + "/Tree/Nodes(14203)", body: `{"Version":3}`, status: 400},
	})
}

// A large catalog is the same shop, and more: ids of the small one stay.
func TestCatalogItems(t *testing.T) {
	small, large := newRetail(worldOptions{}), newRetail(worldOptions{CatalogItems: 1000})
	few, many := small.items.list(seedCompanyID), large.items.list(seedCompanyID)
	if len(many) < 1000 || len(many) >= 1000+len(few) {
		t.Fatalf("%d items", len(many))
	}
	for i, rec := range few {
		if many[i].id != rec.id || string(many[i].raw()) != string(rec.raw()) {
			t.Errorf("item %d is another one: %s", i, many[i].raw())
		}
	}
	slugs, skus, lists := map[string]bool{}, map[string]bool{}, map[string]int{}
	for _, rec := range many {
		slugs[rec.fields.text("Slug")], skus[rec.fields.text("VendorSku")] = true, true
		for _, list := range rec.fields["SourceIds"].([]string) {
			lists[list]++
		}
	}
	if len(slugs) != len(many) || len(skus) != len(many) {
		t.Errorf("%d slugs and %d SKUs for %d items", len(slugs), len(skus), len(many))
	}
	for list, n := range lists {
		if n > listSize || list == "" {
			t.Errorf("list %q has %d items", list, n)
		}
	}
	if len(lists) < 5 || lists[seedListID] != len(few) {
		t.Errorf("lists %v", lists)
	}
}
