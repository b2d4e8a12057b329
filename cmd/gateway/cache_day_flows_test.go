package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	dayCatalog   = "/catalogs/v1/Companies(14146)/Catalog"
	dayOrders    = "/order/v1/Companies(14146)"
	daySales     = "/salesorder/v1/Companies(14146)"
	dayReports   = "/ordermanagementreporting/v1"
	daySuppliers = "/availability/v1/Suppliers(14107)/Companies(14146)"
)

// dayItem is an item of the catalog, as several services show it.
type dayItem struct {
	CatalogItemID  string `json:"CatalogItemId"`
	Slug           string
	VendorSku      string
	DateAddedUtc   string
	DateUpdatedUtc string
	SourceIDs      []string `json:"SourceIds"`
	Identifiers    []struct{ Value string }
	ChildProducts  []dayItem
}

// dayShop is what the flows of a day are about.
type dayShop struct {
	*dayClient
	items []dayItem // by age
	lists []string
	seen  sync.Map // caller and location -> when its last fulfilment began, a time.Time

	writing   [6]sync.Mutex // of the locations: each has one manager
	changed   [6]time.Time  // when its last change was answered
	written   atomic.Int64  // changes of locations
	conflicts atomic.Int64  // 409s
}

// run makes the calls of one event. A flow ends at the first answer that it
// does not expect, which the client has noted.
func (s *dayShop) run(ctx context.Context, e dayEvent) error {
	switch e.flow {
	case flowProducts:
		return s.pollProducts(ctx, e)
	case flowProduct:
		return s.oneProduct(ctx, e)
	case flowPrices:
		return s.prices(ctx, e)
	case flowQuantities:
		return s.quantities(ctx, e)
	case flowOrder:
		return s.placeOrder(ctx, e)
	case flowFulfilment:
		return s.fulfilment(ctx, e)
	case flowCustomer:
		var found []struct{}
		filter := url.PathEscape(fmt.Sprintf("UniqueIdentifier eq 'CUST-%05d'", 10001+e.first%240))
		return s.read(ctx, &found, dayCall{caller: e.caller, target: "/crm/v1/Companies(14146)/Customers?%24filter=" + filter})
	case flowTree:
		var tree struct{ ID int }
		return s.read(ctx, &tree, dayCall{caller: e.caller, target: companyTree})
	default:
		return s.changeLocation(ctx, e)
	}
}

// dayItems is an answer with items.
type dayItems struct {
	Items    []dayItem
	MetaData struct{ TotalResults int }
}

func (s *dayShop) pollProducts(ctx context.Context, e dayEvent) error {
	from, to := s.items[e.first].DateAddedUtc, s.items[e.first+e.count-1].DateAddedUtc
	var found []dayItem
	for page := 1; ; page++ {
		var got dayItems
		target := fmt.Sprintf("%s/GroupedSearch?VendorIds=14107&CreatedFromUtc=%s&CreatedToUtc=%s&Page=%d&PageSize=25&OrderBy=dateAdded",
			dayCatalog, from, to, page)
		if err := s.read(ctx, &got, dayCall{caller: e.caller, target: target}); err != nil {
			return err
		}
		for _, item := range got.Items {
			found = append(append(found, item), item.ChildProducts...)
		}
		if page*25 >= got.MetaData.TotalResults {
			break
		}
	}
	var bought []dayItem
	for _, item := range found {
		for range 2 { // once for each of the two lists that the channel sells
			got, err := s.bySKU(ctx, e.caller, item.Identifiers[0].Value)
			if err != nil {
				return err
			}
			bought = append(bought, got)
		}
	}
	return s.details(ctx, e.caller, bought)
}

// bySKU is the hottest read of all: each flow asks it again.
func (s *dayShop) bySKU(ctx context.Context, caller, sku string) (dayItem, error) {
	var got dayItems
	err := s.read(ctx, &got, dayCall{caller: caller, target: dayCatalog + "/Items/ByVendorSku?vendorId=14107&vendorSku=" + sku})
	if err == nil && len(got.Items) != 1 {
		err = fmt.Errorf("SKU %s: %d items", sku, len(got.Items))
	}
	if err != nil {
		return dayItem{}, err
	}
	return got.Items[0], nil
}

// details reads what catalog and product library know about items.
func (s *dayShop) details(ctx context.Context, caller string, items []dayItem) error {
	if err := s.bulk(ctx, caller, items); err != nil {
		return err
	}
	for part := range slices.Chunk(unique(items, func(i dayItem) string { return i.Slug }), 100) {
		var got struct{ Products map[string]any }
		if err := s.read(ctx, &got, dayCall{caller: caller, target: "/productlibrary/v1/Products/GetBulk?Slugs=" + strings.Join(part, ",")}); err != nil {
			return err
		}
	}
	return nil
}

// bulk is a POST that reads.
func (s *dayShop) bulk(ctx context.Context, caller string, items []dayItem) error {
	for part := range slices.Chunk(unique(items, func(i dayItem) string { return i.CatalogItemID }), 500) {
		body, err := json.Marshal(map[string]any{"CatalogItemIds": part})
		if err != nil {
			return err
		}
		var got struct{ CatalogItems map[string]any }
		call := dayCall{caller: caller, method: http.MethodPost, target: dayCatalog + "/Items/ProductDetails/Bulk", body: string(body)}
		if err := s.read(ctx, &got, call); err != nil {
			return err
		}
		if len(got.CatalogItems) != len(part) {
			return fmt.Errorf("details of %d items for %d", len(got.CatalogItems), len(part))
		}
	}
	return nil
}

func unique(items []dayItem, of func(dayItem) string) []string {
	var list []string
	for _, item := range items {
		list = append(list, of(item))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (s *dayShop) oneProduct(ctx context.Context, e dayEvent) error {
	item := s.items[e.first]
	var structure struct{ Variations []dayItem }
	target := dayCatalog + "/Items(" + item.CatalogItemID + ")/Structure"
	if err := s.read(ctx, &structure, dayCall{caller: e.caller, target: target}); err != nil {
		return err
	}
	var got struct{ Products map[string]any }
	slugs := strings.Join(unique(structure.Variations, func(i dayItem) string { return i.Slug }), ",")
	return s.read(ctx, &got, dayCall{caller: e.caller, target: "/productlibrary/v1/Products/GetBulk?Slugs=" + slugs})
}

func (s *dayShop) prices(ctx context.Context, e dayEvent) error {
	var got dayItems
	if err := s.read(ctx, &got, dayCall{caller: e.caller, target: dayCatalog + "/Items(SourceId=" + s.lists[e.first] + ")"}); err != nil {
		return err
	}
	if err := s.bulk(ctx, e.caller, got.Items); err != nil {
		return err
	}
	for _, item := range got.Items {
		var price []struct{ RegularPrice json.Number }
		target := "/pricing/v1/Companies(14146)/Entities(" + dayLocation(e.first) + ")/CatalogItems(" + item.CatalogItemID + ")/Pricing"
		if err := s.read(ctx, &price, dayCall{caller: e.caller, target: target}); err != nil {
			return err
		}
	}
	return nil
}

func (s *dayShop) quantities(ctx context.Context, e dayEvent) error {
	from, to := s.items[e.first].DateUpdatedUtc, s.items[e.first+e.count-1].DateUpdatedUtc
	filter := url.PathEscape("LastModifiedDateUtc ge datetime'" + from + "' and LastModifiedDateUtc le datetime'" + to + "'")
	var changed []struct{ SupplierSku string }
	if err := s.read(ctx, &changed, dayCall{caller: e.caller, target: daySuppliers + "/SupplierSkus?%24filter=" + filter}); err != nil {
		return err
	}
	if len(changed) != e.count {
		return fmt.Errorf("%d SKUs changed, want %d", len(changed), e.count)
	}
	for _, c := range changed {
		if _, err := s.bySKU(ctx, e.caller, c.SupplierSku); err != nil {
			return err
		}
	}
	return nil
}

// placeOrder asks for all SKUs at once, in another spelling than the polls, and
// writes three times: a write too many is an order too many.
func (s *dayShop) placeOrder(ctx context.Context, e dayEvent) error {
	lines := make([]map[string]any, e.count)
	errs := make([]error, e.count)
	var all sync.WaitGroup
	for n := range e.count {
		all.Go(func() {
			sku := s.items[(e.first+n)%len(s.items)].VendorSku
			var got dayItems
			errs[n] = s.read(ctx, &got, dayCall{caller: e.caller, target: dayCatalog + "/Items/ByVendorSku?vendorsku=" + sku + "&vendorid=14107"})
			if errs[n] == nil {
				lines[n] = map[string]any{"ItemTypeId": "1", "SKU": sku, "ProductId": got.Items[0].CatalogItemID, "Quantity": 1}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	body, err := json.Marshal(map[string]any{"EntityId": json.Number(dayLocation(e.first)), "OrderTypeId": 1, "Items": lines})
	if err != nil {
		return err
	}
	write := dayCall{caller: e.caller, method: http.MethodPost, target: dayOrders + "/OrderFull", body: string(body), want: []int{http.StatusCreated}}
	var order struct{ ID string }
	if err := s.read(ctx, &order, write); err != nil {
		return err
	}
	write.target, write.body = dayOrders+"/Orders("+order.ID+")/Process", `{"OrderId":"`+order.ID+`"}`
	if err := s.read(ctx, &struct{}{}, write); err != nil {
		return err
	}
	write.target, write.want = daySales+"/SaleInvoice", []int{http.StatusAccepted}
	return s.read(ctx, &struct{}{}, write)
}

// fulfilment looks for orders that were completed at a location since the
// caller last looked.
func (s *dayShop) fulfilment(ctx context.Context, e dayEvent) error {
	now := time.Now()
	since := time.Unix(0, 0)
	if before, ok := s.seen.Swap(e.caller+dayLocation(e.first), now); ok {
		since, _ = before.(time.Time) // nothing else is in there
	}
	const stamp = "2006-01-02T15:04:05.000Z"
	filter := url.QueryEscape(fmt.Sprintf("companyId eq 14146 and statusName eq Completed and locationId eq %s and updatedUtc gt %s and updatedUtc lt %s",
		dayLocation(e.first), since.UTC().Format(stamp), now.UTC().Format(stamp)))
	var report struct {
		Rows []struct {
			ID            string `json:"_id"`
			InvoiceNumber string
		}
	}
	target := dayReports + "/Reports/OrderList/report?filter=" + filter + "&page=1&pageSize=100&sortBy=createdUtc&sortOrder=asc"
	if err := s.read(ctx, &report, dayCall{caller: e.caller, target: target}); err != nil {
		return err
	}
	for _, row := range report.Rows {
		for _, target := range []string{dayReports + "/Companies(14146)/OrderDetails(" + row.ID + ")", daySales + "/PrintableId(" + row.InvoiceNumber + ")"} {
			if err := s.read(ctx, &struct{}{}, dayCall{caller: e.caller, target: target}); err != nil {
				return err
			}
		}
	}
	return nil
}

// dayLocation is one of the shops.
func dayLocation(n int) string { return fmt.Sprint(14202 + n%6) }
