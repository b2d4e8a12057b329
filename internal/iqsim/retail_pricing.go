package iqsim

import (
	"net/http"
	"strconv"
)

const (
	pricingFailed  = "An error occurred while updating the entries"
	pricingNoMatch = "Cannot find matching records"
	pricingForeign = "Entity is not related to company"
)

// pricing serves prices by location and item. A body that it cannot use is a
// 500, as the provider documents.
func (s *retail) pricing() *router {
	const (
		company = "/v1/Companies({company})"
		item    = company + "/Entities({entity})/CatalogItems({item})/Pricing"
	)
	rt := &router{}
	rt.handle(http.MethodGet, item, s.pricedEntity(s.listPrices))
	rt.handle(http.MethodPost, item, s.pricedEntity(s.setPrice))
	rt.handle(http.MethodDelete, item+"({price})", s.pricedEntity(s.deletePrice))
	rt.handle(http.MethodGet, company+"/Entities({entity})/CatalogItems", s.pricedEntity(s.locationPrices))
	rt.handle(http.MethodGet, company+"/PricingTerms", priceSettings("PricingTerms", "2 Year Plan"))
	rt.handle(http.MethodGet, company+"/PricingTiers", priceSettings("PricingTiers", "Staff"))
	rt.handle(http.MethodGet, company+"/PricingShelves", priceSettings("PricingShelves", "Clearance"))
	rt.handle(http.MethodGet, company+"/PricingGroups", priceSettings("PricingGroups", "City shops"))
	for _, kind := range []string{"PricingTerms", "PricingTiers", "PricingShelves", "PricingGroups"} {
		rt.handle(http.MethodGet, company+"/"+kind+"({id})", priceSetting(kind))
	}
	return rt
}

func (s *retail) pricedEntity(next operation) operation {
	return func(r *http.Request, c captures) answer {
		if !s.hasEntity(c["company"], c["entity"]) {
			return message(http.StatusBadRequest, pricingForeign)
		}
		return next(r, c)
	}
}

func (s *retail) listPrices(r *http.Request, c captures) answer {
	if _, ok := s.items.get(c["company"], c["item"]); !ok {
		return message(http.StatusNotFound, pricingNoMatch)
	}
	found, err := filtered(r.URL.Query(), s.prices.list(priceScope(c)))
	if err != nil {
		return message(http.StatusBadRequest, "Error while extracting the request query: "+err.Error())
	}
	return many(r, pricingHref(c), found, window{0, len(found)})
}

// setPrice creates or replaces the price of an item at a location for a
// pricing term.
func (s *retail) setPrice(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil || in.empty("RegularPrice") || in.empty("CatalogItemId") || len(in.text("Name")) > 255 {
		return message(http.StatusInternalServerError, pricingFailed)
	}
	if _, ok := s.items.get(c["company"], c["item"]); !ok {
		return message(http.StatusNotFound, pricingNoMatch)
	}
	id := 900000 + int(s.made.Add(1))
	for _, rec := range s.prices.list(priceScope(c)) {
		if rec.fields.text("PricingTermId") == in.text("PricingTermId") {
			id = atoi(rec.id)
		}
	}
	own := document{"Id": id, "CatalogItemId": c["item"], "CompanyId": atoi(c["company"]), "EntityId": atoi(c["entity"])}
	rec, err := s.prices.put(priceScope(c), strconv.Itoa(id), document{"IsDiscountable": false, "OverridePrice": nil}.with(in, own))
	if err != nil {
		return message(http.StatusInternalServerError, pricingFailed)
	}
	return one(r, http.StatusCreated, pricingHref(c)+"("+rec.id+")", rec.raw())
}

func (s *retail) deletePrice(r *http.Request, c captures) answer {
	rec, ok := s.prices.remove(priceScope(c), c["price"])
	if !ok {
		return message(http.StatusNotFound, pricingNoMatch)
	}
	return one(r, http.StatusOK, pricingHref(c)+"("+rec.id+")", rec.raw())
}

// locationPrices serves every price of a location in one answer.
func (s *retail) locationPrices(r *http.Request, c captures) answer {
	var found []*record
	for _, item := range s.items.list(c["company"]) {
		found = append(found, s.prices.list(scopeOf(c["company"], c["entity"], item.id))...)
	}
	href := "Companies(" + c["company"] + ")/Entities(" + c["entity"] + ")/CatalogItems"
	return many(r, href, found, window{0, len(found)})
}

func priceScope(c captures) string { return scopeOf(c["company"], c["entity"], c["item"]) }

func pricingHref(c captures) string {
	return "Companies(" + c["company"] + ")/Entities(" + c["entity"] + ")/CatalogItems(" + c["item"] + ")/Pricing"
}

func priceSettings(kind, name string) operation {
	return func(r *http.Request, c captures) answer {
		rec, err := newRecord("78", document{"Id": 78, "EntityId": atoi(c["company"]), "Name": name, "Active": true, "Version": 1})
		if err != nil {
			return refusal(err)
		}
		return many(r, "Companies("+c["company"]+")/"+kind, []*record{rec}, window{0, 1})
	}
}

func priceSetting(kind string) operation {
	return func(r *http.Request, c captures) answer {
		if c["id"] != "78" {
			return message(http.StatusNotFound, "That term does not exist")
		}
		rec, err := newRecord("78", document{"Id": 78, "EntityId": atoi(c["company"]), "Active": true, "Version": 1})
		if err != nil {
			return refusal(err)
		}
		return one(r, http.StatusOK, "Companies("+c["company"]+")/"+kind+"(78)", rec.raw())
	}
}
