package iqsim

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

const (
	orderCompany = "/order/v1/Companies(14146)"
	newOrder     = `{"Name":"iPhone order","EntityId":14202,"OrderTypeId":1,"BillingCustomerId":"` + seedCustomerID + `","Items":[{"ItemTypeId":"1","SKU":"B00LAOKN4S","SellingPrice":9.90,"Quantity":2}]}`
)

// The whole flow of the real client: what each write did shows in later reads,
// in this service and in those that report on it.
func TestOrderFlow(t *testing.T) {
	s := startRetail(t)
	created := s.json(http.MethodPost, orderCompany+"/OrderFull", newOrder)
	created.want(201, "State=Created", "OrderType=Sales", "OrderExpiryHours=72", "OrderExpiryDate=2026-03-05T09:30:00.0000000Z",
		"Items.#=1", "Items.0.ItemStatus=New", "Items.0.SellingPrice=9.90", "Items.0.OrderId="+created.value("Id"))
	id, printable := created.value("Id"), created.value("PrintableId")
	one := orderCompany + "/Orders(" + id + ")"

	s.json(http.MethodGet, orderCompany+"/OrderFull?$filter=PrintableId%20eq%20'"+printable+"'", "").want(200, "#=1", "0.Id="+id, "0.Items.#=1")
	s.json(http.MethodGet, one, "").want(200, "State=Created", "Items=<none>")
	s.json(http.MethodPost, one+"/Items", `{"ItemTypeId":"4","Description":"Parcel"}`).want(201, "Description=Parcel", "Quantity=0")
	s.json(http.MethodGet, one+"/Items", "").want(200, "#=2")
	s.json(http.MethodPost, one+"/Process", `{"OrderId":"`+id+`"}`).want(201, "State=Processed", "OrderId="+id)
	s.json(http.MethodGet, orderCompany+"/OrderFull("+id+")", "").want(200, "State=Processed", "Items.1.Description=Parcel")

	report := s.json(http.MethodGet, "/ordermanagementreporting/v1/Reports/OrderList/report?filter=companyId%20eq%2014146%20and%20statusName%20eq%20Completed%20and%20locationId%20eq%2014202%20and%20updatedUtc%20gt%202026-03-02T09:29:59.999Z%20and%20updatedUtc%20lt%202026-03-02T09:30:00.001Z&page=1&pageSize=25&sortBy=createdUtc&sortOrder=asc", "")
	report.want(200, "totalRecords=1", "rows.0.invoiceNumber="+printable)
	s.json(http.MethodGet, "/ordermanagementreporting/v1/Companies(14146)/OrderDetails("+report.value("rows.0._id")+")", "").
		want(200, "invoiceNumber="+printable, "items.#=2")
	s.json(http.MethodGet, "/salesorder/v1/Companies(14146)/PrintableId("+printable+")", "").want(200, "Id="+id)
}

func TestOrderRefusals(t *testing.T) {
	now := retailTime()
	s := startRetail(t, func(o *worldOptions) { o.Now = func() time.Time { return now } })
	fresh := func() string { return s.json(http.MethodPost, orderCompany+"/Orders", newOrder).want(201).value("Id") }
	id := fresh()
	process := func(id string) got {
		return s.json(http.MethodPost, orderCompany+"/Orders("+id+")/Process", `{"OrderId":"`+id+`"}`)
	}
	process(id).want(201)
	process(id).want(409, "Message=Order cannot be changed in state Processed")
	s.json(http.MethodPost, orderCompany+"/Orders("+id+")/Items", `{"ItemTypeId":1}`).want(409)
	s.json(http.MethodPost, orderCompany+"/Orders("+id+")/Process", `{}`).want(400)
	s.json(http.MethodPost, orderCompany+"/Orders("+id+")/Items", `{}`).want(400)
	s.json(http.MethodPost, orderCompany+"/Orders("+id+")/Items", `-`).want(400)
	s.json(http.MethodPost, orderCompany+"/Orders("+id+")/Cancel", ``).want(409)

	cancelled := fresh()
	s.json(http.MethodPost, orderCompany+"/Orders("+cancelled+")/Cancel", ``).want(201, "State=Cancelled")
	process(cancelled).want(409, "Message=Order cannot be changed in state Cancelled")

	expired := fresh()
	now = now.Add(73 * time.Hour)
	process(expired).want(409, "Message=Order has expired")

	process("none").want(404)
	for _, target := range []string{"/Orders(none)", "/Orders(none)/Items", "/OrderFull(none)"} {
		s.json(http.MethodGet, orderCompany+target, "").want(404)
	}
	s.json(http.MethodPost, orderCompany+"/Orders(none)/Items", `{"ItemTypeId":1}`).want(404)
	s.json(http.MethodGet, orderCompany+"/Orders?$filter=(", "").want(400)
	s.json(http.MethodPost, orderCompany+"/OrderFull", `{"EntityId":1,"OrderTypeId":1}`).want(400, "Message=Entity is not related to company")
	s.json(http.MethodPost, orderCompany+"/OrderFull", `{"EntityId":14202}`).want(400, "Message=OrderTypeId should not be empty")
	s.json(http.MethodPost, orderCompany+"/OrderFull", `"x"`).want(400)
	s.json(http.MethodGet, orderCompany+"/Orders", "").want(200, "#=3")
}

// A repeated POST is a second order: nothing makes it idempotent.
func TestOrdersConcurrency(t *testing.T) {
	s := startRetail(t)
	const callers = 30
	var wg sync.WaitGroup
	ids := make([]string, callers)
	for n := range callers {
		wg.Go(func() {
			ids[n] = s.json(http.MethodPost, orderCompany+"/OrderFull", newOrder).value("PrintableId")
		})
	}
	wg.Wait()
	s.json(http.MethodGet, orderCompany+"/Orders", "").want(200, fmt.Sprintf("#=%d", callers))
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("PrintableId %s was given twice", id)
		}
		seen[id] = true
	}
}

func TestOrderReport(t *testing.T) {
	s := startRetail(t)
	for range 3 {
		s.json(http.MethodPost, orderCompany+"/Orders", newOrder).want(201)
	}
	const report = "/ordermanagementreporting/v1/Reports/OrderList/report"
	up := s.json(http.MethodGet, report+"?pageSize=2&sortBy=invoiceNumber", "").want(200, "totalRecords=3", "rows.#=2")
	down := s.json(http.MethodGet, report+"?page=2&pageSize=2&sortBy=invoiceNumber&sortOrder=desc", "").want(200, "rows.#=1")
	if first, last := up.value("rows.0.invoiceNumber"), down.value("rows.0.invoiceNumber"); first != last {
		t.Errorf("first ascending = %s, last descending = %s", first, last)
	}
	s.json(http.MethodGet, report+"?filter=a%20eq", "").want(400)
	s.json(http.MethodGet, report+"?page=x", "").want(400)
	s.json(http.MethodGet, "/ordermanagementreporting/v1/Companies(14146)/OrderDetails(0)", "").want(404)
}

func TestSalesOrder(t *testing.T) {
	const company = "/salesorder/v1/Companies(14146)"
	s := startRetail(t)
	invoice := s.send(http.MethodPost, company+"/SaleInvoice", `{"Total":24.90}`)
	invoice.want(202, "Kind=SaleInvoice", "Total=24.90", "_links.self.href=Companies(14146)/PrintableId("+invoice.value("PrintableId")+")")
	if got := invoice.header.Get("Content-Type"); got != typeHAL {
		t.Errorf("Content-Type without Accept = %q, want %q", got, typeHAL)
	}
	s.json(http.MethodGet, company+"/PrintableId("+invoice.value("PrintableId")+")", "").want(200, "Total=24.90", "_links=<none>")
	order := s.json(http.MethodPost, company+"/SaleOrder", `{}`).want(202, "Kind=SaleOrder", "_links=<none>")
	s.send(http.MethodGet, company+"/PrintableId("+order.value("PrintableId")+")", "").want(200, "Id="+order.value("Id"))
	s.json(http.MethodPost, company+"/SaleOrder", `no`).want(400)
	s.json(http.MethodGet, company+"/PrintableId(none)", "").want(404)
}
