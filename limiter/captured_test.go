package limiter

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// capture is what one answer of the real services said about quota.
type capture struct {
	Request string            `json:"request"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
}

func (c capture) header() http.Header {
	h := http.Header{}
	for name, value := range c.Headers {
		h.Set(name, value)
	}
	return h
}

func readCaptures(t testing.TB) []capture {
	t.Helper()
	raw, err := os.ReadFile("testdata/captured_headers.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Responses []capture }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	return file.Responses
}

// serveCaptures answers /I with the header of capture I.
func serveCaptures(t *testing.T, captures []capture, http2 bool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var i int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &i); err != nil {
			t.Error(err)
			return
		}
		for name, value := range captures[i].Headers {
			w.Header()[name] = []string{value} // as spelt by the upstream
		}
		w.WriteHeader(captures[i].Status)
	}))
	server.EnableHTTP2 = http2
	if http2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server
}

// summary says what an observation is good for.
func summary(o Observation) string {
	parts := []string{o.Kind.String()}
	switch o.Kind {
	case Windowed:
		parts = append(parts, fmt.Sprintf("%d of %d until %s, %d s left",
			o.Remaining, o.Limit, o.Reset.Format(time.RFC3339Nano), o.ResetSeconds))
	case LimitOnly:
		parts = append(parts, fmt.Sprint(o.Limit))
	default:
	}
	for a := range o.Anomalies.All() {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, " ")
}

// wantCaptured has a line for each capture, in the file's order.
var wantCaptured = []string{
	"windowed 999994 of 1000000 until 2018-10-09T20:26:00Z, 23 s left", // POST accounts /token
	"windowed 496 of 500 until 2018-10-10T16:13:00Z, 59 s left",        // GET catalogs /Companies({CompanyId})/Catalog/Items
	"windowed 499 of 500 until 2018-10-10T16:25:00Z, 11 s left",        // GET catalogs /Companies({CompanyId})/Catalog/Items({CatalogItemId})/ProductDetails
	"windowed 499 of 500 until 2018-10-30T18:02:00Z, 9 s left",         // POST catalogs /Companies({CompanyId})/Catalog/Items/ProductDetails/Bulk
	"windowed 498 of 500 until 2018-10-30T17:23:00Z, 37 s left",        // GET catalogs /Companies({CompanyId})/Catalog/Items({CatalogItemId})/structure
	"windowed 498 of 500 until 2018-10-30T18:12:00Z, 34 s left",        // GET catalogs /Companies({CompanyId})/Catalog/ClassificationTree({ClassificationTreeId})
	"windowed 499 of 500 until 2019-01-23T20:44:00Z, 25 s left",        // GET catalogs /Companies({CompanyId})/Catalog/Search
	"windowed 999 of 1000 until 2018-11-15T14:23:00Z, 37 s left",       // GET entitymanager /Tree
	"limit_only 1500", // GET entitymanager /Locations
	"windowed 999 of 1000 until 2018-10-11T15:39:00Z, 32 s left", // GET crm /Customers
	"windowed 999 of 1000 until 2018-10-11T15:55:00Z, 17 s left", // GET crm /CustomerFull({CustomerId})
	"windowed 999 of 1000 until 2018-10-30T18:59:00Z, 41 s left", // GET generalledger /Accounts
	"windowed 999 of 1000 until 2018-10-30T19:05:00Z, 54 s left", // GET generalledger /Accounts({GLAccountId})
	"windowed 999 of 1000 until 2019-01-23T20:45:00Z, 2 s left",  // GET generalledger /Transactions
	"windowed 999 of 1000 until 2019-01-23T20:46:00Z, 6 s left",  // GET cost /ProductCosts
	"windowed 998 of 1000 until 2018-11-08T14:18:00Z, 37 s left", // POST reasoncode /ReasonCodes
	"windowed 999 of 1000 until 2018-11-08T14:24:00Z, 40 s left", // GET reasoncode /ReasonCodes
	"windowed 999 of 1000 until 2018-11-08T15:43:00Z, 31 s left", // GET reasoncode /ReasonCodes({InventoryAdjustmentReasonCodeId})
	"windowed 999 of 1000 until 2018-11-09T20:24:00Z, 2 s left",  // POST inventoryadjustment /SubmitQuantityAdjustment
	"limit_only 1500",     // GET availability /CatalogItems({CatalogItemId})/Lots
	"limit_only 1500",     // GET availability /Entities({EntityId})/CatalogItems({CatalogItemId})/Lots
	"limit_only 1500",     // GET availability /Entities({LocationId})/CatalogItems({CatalogItemId})
	"unusable zero_limit", // GET availability /Entities({EntityId})/CatalogItems
	"limit_only 1500",     // POST covaorderintake /CovaOrder
	"limit_only 1500",     // POST covaorderintake /CovaOrderPayment
	"windowed 999 of 1000 until 2018-10-31T14:47:00Z, 5 s left",  // GET pricing /Entities({EntityId})/CatalogItems({CatalogItemId})/Pricing
	"windowed 999 of 1000 until 2018-10-31T14:59:00Z, 25 s left", // GET pricing /PricingTiers
	"windowed 999 of 1000 until 2018-10-31T15:00:00Z, 28 s left", // GET pricing /PricingTiers({TierId})
	"windowed 995 of 1000 until 2018-10-31T15:03:00Z, 36 s left", // GET pricing /PricingShelves
	"windowed 999 of 1000 until 2018-10-31T15:07:00Z, 9 s left",  // GET pricing /PricingShelves({ShelfId})
	"windowed 995 of 1000 until 2018-10-31T15:10:00Z, 15 s left", // GET pricing /PricingGroups
	"windowed 998 of 1000 until 2018-10-31T15:13:00Z, 30 s left", // GET pricing /PricingGroups({GroupId})
	"windowed 998 of 1000 until 2018-10-11T13:38:00Z, 52 s left", // GET pointofsale /Locations({LocationId})/SalesToFulfill
	"windowed 999 of 1000 until 2018-10-11T13:50:00Z, 23 s left", // GET pointofsale /SalesInvoiceSummaries
	"windowed 999 of 1000 until 2019-01-23T20:40:00Z, 21 s left", // GET pointofsale /SalesInvoiceDetails({InvoiceId})
	"windowed 999 of 1000 until 2018-11-01T17:25:00Z, 32 s left", // GET pointofsale /Sales({SalesOrderId})
	"windowed 997 of 1000 until 2019-01-23T20:42:00Z, 8 s left",  // GET posreports /ByInvoiceWithProducts
	"windowed 999 of 1000 until 2018-10-30T19:28:00Z, 11 s left", // GET purchaseorder /OrderWithDetail({PurchaseOrderId})
	"windowed 998 of 1000 until 2019-01-23T20:43:00Z, 13 s left", // GET iqtaxprovider /TaxRates
	"windowed 999 of 1000 until 2018-11-29T15:39:00Z, 57 s left", // GET iqtaxprovider /TaxRates({TaxRateId})
	"windowed 998 of 1000 until 2018-11-29T15:39:00Z, 2 s left",  // GET iqtaxprovider /TaxCategories
	"windowed 999 of 1000 until 2018-11-29T15:42:00Z, 31 s left", // GET iqtaxprovider /TaxCategories({TaxCategoryId})
}

func TestReadCaptured(t *testing.T) {
	captures := readCaptures(t)
	if len(captures) != len(wantCaptured) {
		t.Fatalf("%d captures, %d expectations", len(captures), len(wantCaptured))
	}
	for i, c := range captures {
		for _, window := range []time.Duration{0, time.Minute} {
			o := Read(c.Status, c.header(), window)
			if got := summary(o); got != wantCaptured[i] {
				t.Errorf("%s with a window of %v:\n got %s\nwant %s", c.Request, window, got, wantCaptured[i])
			}
			if o.Date.IsZero() || o.RetryAfter.Given || o.Refused() {
				t.Errorf("%s: Date %v, Retry-After %v, refused %v", c.Request, o.Date, o.RetryAfter.Given, o.Refused())
			}
			if o.Kind == Windowed && c.Headers["X-RateLimit-Reset"] != o.ResetForm.Format(o.Reset) {
				t.Errorf("%s: Reset is written back as %s", c.Request, o.ResetForm.Format(o.Reset))
			}
		}
	}
}

// TestCapturedBoundaries takes Date for the time of receipt. Two of the
// captured answers took long, so that their ResetSeconds is right only for
// when the request was sent.
func TestCapturedBoundaries(t *testing.T) {
	slow := 0
	for _, c := range readCaptures(t) {
		o := Read(c.Status, c.header(), time.Minute)
		received := o.Date.Add(time.Second) // Date drops fractions
		quick, ok := o.Boundary(o.Date.Add(-time.Second), received)
		if !ok {
			continue
		}
		if !quick.Contains(o.Reset) {
			slow++
		}
		if long, _ := o.Boundary(o.Date.Add(-11*time.Second), received); !long.Contains(o.Reset) {
			t.Errorf("%s: Reset %v is not in %v", c.Request, o.Reset, long)
		}
	}
	if slow != 2 {
		t.Errorf("%d slow answers, want 2", slow)
	}
}
