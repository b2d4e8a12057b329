package iqsim

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// defaultOrderHours is how long an order can be changed, unless it says
// otherwise (documented default).
const defaultOrderHours = 72

// order serves orders. Creating, adding items and processing are three calls
// that are not idempotent: each one that arrives is executed.
func (s *retail) order() *router {
	const company = "/v1/Companies({company})"
	rt := &router{}
	rt.handle(http.MethodPost, company+"/OrderFull", s.createOrder)
	rt.handle(http.MethodGet, company+"/OrderFull", s.listOrders(true))
	rt.handle(http.MethodGet, company+"/OrderFull({order})", s.getOrder(true))
	rt.handle(http.MethodPost, company+"/Orders", s.createOrder)
	rt.handle(http.MethodGet, company+"/Orders", s.listOrders(false))
	rt.handle(http.MethodGet, company+"/Orders({order})", s.getOrder(false))
	rt.handle(http.MethodGet, company+"/Orders({order})/Items", s.orderItems)
	rt.handle(http.MethodPost, company+"/Orders({order})/Items", s.addOrderItem)
	rt.handle(http.MethodPost, company+"/Orders({order})/Process", s.processOrder)
	rt.handle(http.MethodPost, company+"/Orders({order})/Cancel", s.moveOrder("Cancelled", http.StatusCreated))
	return rt
}

func (s *retail) createOrder(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	for _, field := range []string{"EntityId", "OrderTypeId"} {
		if in.empty(field) {
			return message(http.StatusBadRequest, field+" should not be empty")
		}
	}
	if !s.hasEntity(c["company"], in.text("EntityId")) {
		return message(http.StatusBadRequest, "Entity is not related to company")
	}
	id, n := s.newID(), int(s.made.Add(1))
	items := []document{}
	for _, item := range in.objects("Items") {
		items = append(items, s.orderItem(id, item))
	}
	rec, err := s.orders.put(c["company"], id, s.newOrder(id, n, in).with(document{"Items": items}))
	if err != nil {
		return refusal(err)
	}
	return replyJSON(http.StatusCreated, rec.fields)
}

func (s *retail) newOrder(id string, n int, in document) document {
	hours, ok := in.whole("OrderExpiryHours")
	if !ok || hours <= 0 {
		hours = defaultOrderHours
	}
	kind, _ := in.whole("OrderTypeId")
	types := []string{"", "Sales", "Transfer", "Purchase", "RMA"}
	if kind < 0 || kind >= len(types) {
		kind = 0
	}
	now := s.o.Now()
	return in.with(document{
		"Id": id, "CreatedDateUtc": stamp(now), "UpdatedDateUtc": stamp(now), "State": "Created", "OrderType": types[kind],
		"OrderExpiryHours": hours, "OrderExpiryDate": stamp(now.Add(time.Duration(hours) * time.Hour)),
		"PrintableId": fmt.Sprintf("8765-%04d-%03d", n/1000%10000, n%1000),
	})
}

func (s *retail) orderItem(order string, in document) document {
	return document{"ItemStatus": "New", "ItemStatusId": 1, "Quantity": 0}.with(in, document{"Id": s.newID(), "OrderId": order})
}

// orderView hides the items, which only OrderFull shows.
func orderView(rec *record, full bool) document {
	if full {
		return rec.fields
	}
	view := rec.fields.with()
	delete(view, "Items")
	return view
}

func (s *retail) listOrders(full bool) operation {
	return func(r *http.Request, c captures) answer {
		found, err := filtered(r.URL.Query(), s.orders.list(c["company"]))
		if err != nil {
			return message(http.StatusBadRequest, "Error while extracting the request query: "+err.Error())
		}
		views := []document{}
		for _, rec := range found {
			views = append(views, orderView(rec, full))
		}
		return replyJSON(http.StatusOK, views)
	}
}

func (s *retail) getOrder(full bool) operation {
	return func(_ *http.Request, c captures) answer {
		rec, ok := s.orders.get(c["company"], c["order"])
		if !ok {
			return notFound()
		}
		return replyJSON(http.StatusOK, orderView(rec, full))
	}
}

func (s *retail) orderItems(_ *http.Request, c captures) answer {
	rec, ok := s.orders.get(c["company"], c["order"])
	if !ok {
		return notFound()
	}
	return replyJSON(http.StatusOK, rec.fields["Items"])
}

func (s *retail) addOrderItem(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	if in.empty("ItemTypeId") {
		return message(http.StatusBadRequest, "ItemTypeId should not be empty")
	}
	item := s.orderItem(c["order"], in)
	_, found, err := s.orders.change(c["company"], c["order"], func(old document) (document, error) {
		if err := s.open(old); err != nil {
			return nil, err
		}
		items, _ := old["Items"].([]document)
		return old.with(document{"Items": append(slices.Clone(items), item), "UpdatedDateUtc": stamp(s.o.Now())}), nil
	})
	switch {
	case err != nil:
		return refusal(err)
	case !found:
		return notFound()
	}
	return replyJSON(http.StatusCreated, item)
}

// open refuses a change to an order that is past its changes.
func (s *retail) open(order document) error {
	if state := order.text("State"); state != "Created" && state != "Pending" {
		return refusedError{http.StatusConflict, "Order cannot be changed in state " + state}
	}
	if expires, ok := parseInstant(order.text("OrderExpiryDate")); ok && s.o.Now().After(expires) {
		return refusedError{http.StatusConflict, "Order has expired"}
	}
	return nil
}

// processOrder wants the order's id in the body as well, as documented.
func (s *retail) processOrder(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil || in.empty("OrderId") {
		return message(http.StatusBadRequest, "OrderId should not be empty")
	}
	return s.moveOrder("Processed", http.StatusCreated)(r, c)
}

// moveOrder brings an open order into another state; any other order refuses
// with 409.
func (s *retail) moveOrder(state string, status int) operation {
	return func(_ *http.Request, c captures) answer {
		rec, found, err := s.orders.change(c["company"], c["order"], func(old document) (document, error) {
			if err := s.open(old); err != nil {
				return nil, err
			}
			return old.with(document{"State": state, "UpdatedDateUtc": stamp(s.o.Now())}), nil
		})
		switch {
		case err != nil:
			return refusal(err)
		case !found:
			return notFound()
		}
		return replyJSON(status, orderView(rec, false).with(document{"OrderId": rec.id}))
	}
}
