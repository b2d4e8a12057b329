package iqsim

import (
	"fmt"
	"net/http"
)

// salesOrder serves SaleInvoice and SaleOrder. Both are taken with 202 and can
// be read under their printable id afterwards; HAL without Accept.
func (s *retail) salesOrder() *router {
	const company = "/v1/Companies({company})"
	rt := &router{}
	rt.handle(http.MethodPost, company+"/SaleInvoice", s.createSale("SaleInvoice", "INV"))
	rt.handle(http.MethodPost, company+"/SaleOrder", s.createSale("SaleOrder", "SO"))
	rt.handle(http.MethodGet, company+"/PrintableId({printable})", s.getSale)
	return rt
}

func (s *retail) createSale(kind, prefix string) operation {
	return func(r *http.Request, c captures) answer {
		in, err := readDocument(r)
		if err != nil {
			return badRequest()
		}
		id, n := s.newID(), s.made.Add(1)
		printable := fmt.Sprintf("TT101%s%d", prefix, n)
		own := document{
			"Id": id, "Kind": kind, "PrintableId": printable, "CompanyId": atoi(c["company"]),
			"State": "Completed", "CreatedDateUtc": stamp(s.o.Now()), "Version": 1,
		}
		rec, err := s.sales.put(c["company"], printable, in.with(own))
		if err != nil {
			return refusal(err)
		}
		return one(r, http.StatusAccepted, saleHref(c["company"], printable), rec.raw())
	}
}

// getSale finds a sale, or the order that carries the printable id: clients
// ask here for either.
func (s *retail) getSale(r *http.Request, c captures) answer {
	if rec, ok := s.sales.get(c["company"], c["printable"]); ok {
		return one(r, http.StatusOK, saleHref(c["company"], rec.id), rec.raw())
	}
	for _, rec := range s.orders.list(c["company"]) {
		if rec.fields.text("PrintableId") == c["printable"] {
			return one(r, http.StatusOK, saleHref(c["company"], c["printable"]), rec.raw())
		}
	}
	return notFound()
}

func saleHref(company, printable string) string {
	return "Companies(" + company + ")/PrintableId(" + printable + ")"
}
