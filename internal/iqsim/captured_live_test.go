package iqsim

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCapturesByServices asks the running services, with nothing scripted, for
// what was captured. It compares what a service decides: the status, the media
// type, which fields there are, and the shape of the links and tags. What only
// the hour and the traffic decide is [TestCapturedHeaders]'s.
func TestCapturesByServices(t *testing.T) {
	h := startSim(t, Options{DefaultEnvironment: "production"})
	for i, c := range readCaptures(t) {
		stem, path := c.liveTarget(t)
		t.Run(fmt.Sprintf("%02d %s %s", i, stem, c.Path), func(t *testing.T) {
			service := address{service: stem, path: path}.quotaService()
			configured := func(p *Profile) error {
				*p = BuiltinProfile(service)
				return c.deviations(p)
			}
			if err := h.UpdateProfile("", service, configured); err != nil {
				t.Fatal(err)
			}
			status, got := rawExchange(t, strings.TrimPrefix(h.url, "http://"), c.liveRequest(stem, path, h.bearer))
			want := maps.Clone(c.Headers)
			want["Content-Type"] = c.ContentTypes[0]
			if status != c.Status {
				t.Errorf("status %d, captured %d", status, c.Status)
			}
			if diff := cmp.Diff(shapes(want), shapes(got)); diff != "" {
				t.Errorf("shape (-captured +simulated):\n%s", diff)
			}
		})
	}
}

// liveTarget is target with ids that the seed has.
func (c capture) liveTarget(t *testing.T) (stem, path string) {
	t.Helper()
	ids := map[string]string{
		"CompanyId": seedCompanyID, "LocationId": "14202", "EntityId": "14202",
		"CatalogItemId": seedItemID, "CustomerId": seedCustomerID, "ClassificationTreeId": "1",
		"TierId": "78", "ShelfId": "78", "GroupId": "78",
		"GLAccountId": "5", "InventoryAdjustmentReasonCodeId": "5", "TaxRateId": "5", "TaxCategoryId": "5",
		"InvoiceId": "5", "SalesOrderId": seedID("sale", 5), "PurchaseOrderId": seedID("purchase order", 5),
	}
	c.Path = regexp.MustCompile(`\{\w+\}`).ReplaceAllStringFunc(c.Path, func(name string) string {
		id, ok := ids[strings.Trim(name, "{}")]
		if !ok {
			t.Fatalf("no id for %s of %s", name, c.Path)
		}
		return id
	})
	return c.target()
}

// liveRequest is request with a body that the service accepts.
func (c capture) liveRequest(stem, path, bearer string) string {
	if stem == "accounts" {
		return c.request(stem, path, "")
	}
	var body string
	switch {
	case strings.HasSuffix(path, "/Bulk"):
		body = `{"CatalogItemIds":["` + seedItemID + `"]}`
	case c.Method == http.MethodPost:
		body = `{"CompanyId":14146,"EntityId":14202}`
	}
	return strings.Join([]string{
		c.Method + " " + path + " HTTP/1.1", "Host: " + stem + domain, "Accept-Encoding: gzip, deflate",
		"Authorization: " + bearer, "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body)),
	}, "\r\n") + "\r\n\r\n" + body
}

// shapes reduces header fields to what does not depend on hour, traffic and
// data: those that a service writes as a fixed text, or by a rule, keep their
// value or its pattern, of the others the name is left.
func shapes(header map[string]string) map[string]string {
	kept := []string{"Content-Type", "Content-Encoding", "Transfer-Encoding", "Vary", "Link", "Cache-Control"}
	found := map[string]string{}
	for name, value := range header {
		switch {
		case name == "ETag" || name == "Location":
			found[name] = pattern(value)
		case slices.Contains(kept, name):
			found[name] = value
		default:
			found[name] = "any"
		}
	}
	return found
}

// pattern replaces ids: a GUID, an MD5 sum and a number are each one kind.
func pattern(value string) string {
	value = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).ReplaceAllString(value, "{guid}")
	value = regexp.MustCompile(`[0-9a-f]{32}`).ReplaceAllString(value, "{md5}")
	return regexp.MustCompile(`\b[0-9]+\b`).ReplaceAllString(value, "{number}")
}
