package iqsim

import (
	"net/http"
	"slices"
	"strconv"
)

// availability serves stock. Its quirks are documented: a wrong entity is a
// 500, and an item without stock a 404.
func (s *retail) availability() *router {
	const (
		company  = "/v1/Companies({company})"
		entity   = company + "/Entities({entity})"
		supplier = "/v1/Suppliers({supplier})/Companies({company})"
	)
	rt := &router{}
	rt.handle(http.MethodGet, entity+"/CatalogItems", s.atEntity(s.listStock))
	rt.handle(http.MethodGet, entity+"/CatalogItems({item})", s.atEntity(s.getStock))
	rt.handle(http.MethodGet, entity+"/CatalogItems({item})/SerialNumbers", s.atEntity(emptyList))
	rt.handle(http.MethodGet, entity+"/CatalogItems({item})/Lots", s.atEntity(s.lots))
	rt.handle(http.MethodGet, company+"/CatalogItems({item})/Lots", s.lotsEverywhere)
	rt.handle(http.MethodGet, company+"/CatalogItems({item})/Availability", s.stockEverywhere)
	rt.handle(http.MethodGet, supplier+"/SupplierSkus", s.supplierSkus)
	rt.handle(http.MethodPost, supplier+"/BulkSupplierAvailability", s.bulkSupplierAvailability)
	return rt
}

// seedStock puts an item on the shelves of some locations and of the supplier.
func (s *retail) seedStock(n int, item, vendorSku string) {
	for at, location := range locationIDs() {
		if n > 0 && (n+at)%7 == 6 {
			continue // no stock here: readers get a 404
		}
		s.stock.seed(scopeOf(seedCompanyID, location), item, document{
			"Id": item, "CompanyId": 14146, "EntityId": atoi(location), "Quantity": (15 + n*3 + at) % 40,
			"IsDropShippable": false, "IsSerialized": false, "IsUnderCountable": false,
		})
	}
	s.stock.seed(supplierScope("14107", seedCompanyID), vendorSku, document{
		"SupplierId": seedSupplierID, "CompanyId": 14146, "SupplierSku": vendorSku, "Quantity": 100 + n,
		"IsDropShippable": true, "LastModifiedDateUtc": stamp(seedTime(n + 40)),
	})
}

func supplierScope(supplier, company string) string { return scopeOf("supplier", supplier, company) }

// atEntity refuses entities that the company does not have, with the 500 that
// the provider documents.
func (s *retail) atEntity(next operation) operation {
	return func(r *http.Request, c captures) answer {
		if !s.hasEntity(c["company"], c["entity"]) {
			return message(http.StatusInternalServerError, "Entity is not related to company")
		}
		return next(r, c)
	}
}

// hasEntity: the company itself is the root of its tree.
func (s *retail) hasEntity(company, entity string) bool {
	_, ok := s.locations.get(company, entity)
	return ok || entity == company
}

func (s *retail) listStock(_ *http.Request, c captures) answer {
	return replyRaw(http.StatusOK, appendArray(nil, s.stock.list(scopeOf(c["company"], c["entity"]))))
}

func (s *retail) getStock(_ *http.Request, c captures) answer {
	rec, ok := s.stock.get(scopeOf(c["company"], c["entity"]), c["item"])
	if !ok {
		return message(http.StatusNotFound, "InventoryAvailability resource with EntityId "+c["entity"]+
			" and ProductId "+c["item"]+" cannot be found, nor is there availability in the tree branch.")
	}
	return replyRaw(http.StatusOK, rec.raw())
}

func (s *retail) stockEverywhere(_ *http.Request, c captures) answer {
	var found []*record
	for _, location := range s.locations.list(c["company"]) {
		if rec, ok := s.stock.get(scopeOf(c["company"], location.id), c["item"]); ok {
			found = append(found, rec)
		}
	}
	return replyRaw(http.StatusOK, appendArray(nil, found))
}

// lots serves the deliveries that an item's stock at a location came in.
func (s *retail) lots(_ *http.Request, c captures) answer {
	return replyJSON(http.StatusOK, s.lotsAt(c["company"], c["entity"], c["item"]))
}

func (s *retail) lotsEverywhere(_ *http.Request, c captures) answer {
	found := []document{}
	for _, location := range s.locations.list(c["company"]) {
		found = append(found, s.lotsAt(c["company"], location.id, c["item"])...)
	}
	return replyJSON(http.StatusOK, found)
}

// lotsAt divides what is in stock among three lots.
func (s *retail) lotsAt(company, entity, item string) []document {
	lots := []document{}
	rec, ok := s.stock.get(scopeOf(company, entity), item)
	if !ok {
		return lots
	}
	left, _ := rec.fields.whole("Quantity")
	for n, share := range []int{3, 2, 1} {
		quantity := left / share
		left -= quantity
		lots = append(lots, document{
			"Id": seedID("lot of "+entity+" "+rec.id, n), "CatalogItemId": rec.id, "CompanyId": atoi(company), "EntityId": atoi(entity),
			"LotNumber": "LOT-" + entity + "-" + strconv.Itoa(n+1), "Quantity": quantity, "DateReceivedUtc": stamp(seedTime(n)),
		})
	}
	return lots
}

func emptyList(*http.Request, captures) answer {
	return replyRaw(http.StatusOK, []byte("[]"))
}

// supplierSkus serves what a supplier can deliver; unpaged, but filtered.
func (s *retail) supplierSkus(r *http.Request, c captures) answer {
	found, err := filtered(r.URL.Query(), s.stock.list(supplierScope(c["supplier"], c["company"])))
	if err != nil {
		return message(http.StatusBadRequest, "Error while extracting the request query: "+err.Error())
	}
	return replyRaw(http.StatusOK, appendArray(nil, found))
}

// bulkSupplierAvailability is a POST that only reads; unknown SKUs are left
// out of the answer.
func (s *retail) bulkSupplierAvailability(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	if _, ok := in["SupplierAvailabilities"].([]any); !ok {
		return badRequest()
	}
	found := []document{}
	for _, asked := range in.objects("SupplierAvailabilities") {
		if rec, ok := s.stock.get(supplierScope(c["supplier"], c["company"]), asked.text("SupplierSku")); ok {
			found = append(found, rec.fields)
		}
	}
	return replyJSON(http.StatusOK, document{"Id": 0, "SupplierAvailabilities": slices.Clip(found)})
}
