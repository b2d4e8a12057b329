package iqsim

import (
	"net/http"
	"slices"
	"strings"
)

// orderReporting serves the order reports that a real client polls; it shows
// the orders of the order service. The fields begin in lower case here.
func (s *retail) orderReporting() *router {
	rt := &router{}
	rt.handle(http.MethodGet, "/v1/Reports/OrderList/report", s.orderList)
	rt.handle(http.MethodGet, "/v1/Companies({company})/OrderDetails({order})", s.orderDetails)
	return rt
}

func (s *retail) orderList(r *http.Request, _ captures) answer {
	page, size, err := parsePage(r.URL.Query(), catalogPage, catalogPageMax)
	if err != nil {
		return message(http.StatusBadRequest, err.Error())
	}
	keep, err := parseFilter(param(r.URL.Query(), "filter", "$filter"))
	if err != nil {
		return message(http.StatusBadRequest, "Error while extracting the request query: "+err.Error())
	}
	rows := []document{}
	for company, orders := range s.orders.byScope() {
		for _, rec := range orders {
			if row := orderRow(company, rec); keep(row) {
				rows = append(rows, row)
			}
		}
	}
	descending := strings.EqualFold(param(r.URL.Query(), "sortOrder"), "desc")
	sortRows(rows, param(r.URL.Query(), "sortBy"), descending)
	return replyJSON(http.StatusOK, document{"rows": cut(rows, window{(page - 1) * size, size}), "totalRecords": len(rows)})
}

// sortRows orders by a field, then by invoice number, so that pages are stable.
func sortRows(rows []document, by string, descending bool) {
	slices.SortFunc(rows, func(a, b document) int {
		order := strings.Compare(a.text(by), b.text(by))
		if descending {
			order = -order
		}
		if order == 0 {
			order = strings.Compare(a.text("invoiceNumber"), b.text("invoiceNumber"))
		}
		return order
	})
}

func orderRow(company string, rec *record) document {
	// What the order service calls processed, the reports call completed.
	status := rec.fields.text("State")
	if status == "Processed" {
		status = "Completed"
	}
	return document{
		"_id": reportID(rec.id), "id": rec.id, "companyId": atoi(company), "locationId": rec.fields["EntityId"],
		"invoiceNumber": rec.fields["PrintableId"], "statusName": status, "orderType": rec.fields["OrderType"],
		"createdUtc": rec.fields["CreatedDateUtc"], "updatedUtc": rec.fields["UpdatedDateUtc"],
	}
}

// reportID is the report's own id of an order: hexadecimal, 24 digits.
func reportID(order string) string { return strings.ReplaceAll(order, "-", "")[:24] }

func (s *retail) orderDetails(_ *http.Request, c captures) answer {
	for _, rec := range s.orders.list(c["company"]) {
		if strings.EqualFold(reportID(rec.id), c["order"]) {
			return replyJSON(http.StatusOK, orderRow(c["company"], rec).with(document{"items": rec.fields["Items"]}))
		}
	}
	return notFound()
}
