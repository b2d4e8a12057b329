package iqsim

import "net/http"

// api serves the newer services behind the shared host: the first path segment
// names the service. Orders are taken with 202, and their Location names
// another host.
func (s *retail) api() *router {
	const (
		intake    = "/covaorderintake/v1"
		purchases = "/rqpurchaseorders"
	)
	rt := &router{}
	for _, prefix := range []string{intake, intake + "/Companies({company})"} {
		rt.handle(http.MethodPost, prefix+"/CovaOrder", s.takeCovaOrder)
		rt.handle(http.MethodPost, prefix+"/CovaOrderPayment", s.takeCovaPayment)
		rt.handle(http.MethodGet, prefix+"/CovaOrder({order})/Status", s.covaStatus)
	}
	for _, prefix := range []string{purchases, purchases + "/v1", purchases + "/Companies({company})", purchases + "/v1/Companies({company})"} {
		rt.handle(http.MethodGet, prefix+"/PurchaseOrders", s.listPurchaseOrders)
		rt.handle(http.MethodPost, prefix+"/PurchaseOrders", s.createPurchaseOrder)
		rt.handle(http.MethodGet, prefix+"/PurchaseOrders({order})", s.getPurchaseOrder)
	}
	s.plainRoutes(rt, plainService{stem: "api"})
	return rt
}

func companyOf(c captures, in document) string {
	if company := c["company"]; company != "" {
		return company
	}
	if company := in.text("CompanyId"); company != "" {
		return company
	}
	return seedCompanyID
}

// takeCovaOrder accepts an order for asynchronous work; the order is visible
// to the order service at once.
func (s *retail) takeCovaOrder(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	company, id := companyOf(c, in), s.newID()
	order := s.newOrder(id, int(s.made.Add(1)), in).with(document{"Items": []document{}, "OrderType": "Sales"})
	if _, err := s.orders.put(company, id, order); err != nil {
		return refusal(err)
	}
	return replyJSON(http.StatusAccepted, document{"Id": id, "Status": "Pending"}).with("Location", saleURL(r, company, id))
}

// takeCovaPayment answers with an empty text body, as captured.
func (s *retail) takeCovaPayment(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	return answer{status: http.StatusAccepted, contentType: typeText}.
		with("Location", saleURL(r, companyOf(c, in), s.newID()))
}

func (s *retail) covaStatus(_ *http.Request, c captures) answer {
	for _, orders := range s.orders.byScope() {
		for _, rec := range orders {
			if rec.id == c["order"] {
				return replyJSON(http.StatusOK, document{"Id": rec.id, "Status": rec.fields["State"]})
			}
		}
	}
	return notFound()
}

func saleURL(r *http.Request, company, id string) string {
	base := siblingURL(callFrom(r.Context()).BaseURL, "api", "pointofsale")
	return base + "/Companies(" + company + ")/Sales(" + id + ")"
}

func (s *retail) listPurchaseOrders(_ *http.Request, c captures) answer {
	return replyRaw(http.StatusOK, appendArray(nil, s.purchaseOrders.list(companyOf(c, nil))))
}

// createPurchaseOrder is idempotent by the caller's PurchaseOrderGuid.
func (s *retail) createPurchaseOrder(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	id := in.text("PurchaseOrderGuid")
	if id == "" {
		id = s.newID()
	}
	if rec, ok := s.purchaseOrders.get(companyOf(c, in), id); ok {
		return replyRaw(http.StatusOK, rec.raw())
	}
	rec, err := s.purchaseOrders.put(companyOf(c, in), id, in.with(document{"Id": id, "State": "Created", "CreatedUtc": stamp(s.o.Now())}))
	if err != nil {
		return refusal(err)
	}
	return replyRaw(http.StatusCreated, rec.raw())
}

func (s *retail) getPurchaseOrder(_ *http.Request, c captures) answer {
	rec, ok := s.purchaseOrders.get(companyOf(c, nil), c["order"])
	if !ok {
		return notFound()
	}
	return replyRaw(http.StatusOK, rec.raw())
}
