package iqsim

import (
	"net/http"
	"net/url"
	"strings"
)

// maxBulkItems is the documented limit of ProductDetails/Bulk.
const maxBulkItems = 500

// catalogs serves the company's catalog.
func (s *retail) catalogs() *router {
	const catalog = "/v1/Companies({company})/Catalog"
	rt := &router{}
	rt.handle(http.MethodGet, catalog+"/Items/ByVendorSku", s.itemsByVendorSku)
	rt.handle(http.MethodPost, catalog+"/Items/ProductDetails/Bulk", s.bulkDetails)
	rt.handle(http.MethodGet, catalog+"/Items(SourceId={list})", s.itemsOfList)
	rt.handle(http.MethodGet, catalog+"/Items", s.listItems)
	rt.handle(http.MethodGet, catalog+"/Items({item})/ProductDetails", s.itemDetails)
	rt.handle(http.MethodGet, catalog+"/Items({item})/Structure", s.itemStructure)
	rt.handle(http.MethodGet, catalog+"/Items({item})", s.getItem)
	rt.handle(http.MethodGet, catalog+"/GroupedSearch", s.groupedSearch)
	rt.handle(http.MethodGet, catalog+"/Search", s.searchItems)
	rt.handle(http.MethodGet, catalog+"/ClassificationTree({tree})", s.classificationTree)
	rt.handle(http.MethodGet, catalog+"/ClassificationTree", s.classificationTree)
	return rt
}

// listItems serves the whole catalog in one answer: it is unpaged.
func (s *retail) listItems(_ *http.Request, c captures) answer {
	return itemList(s.items.list(c["company"]))
}

func (s *retail) itemsOfList(_ *http.Request, c captures) answer {
	var found []*record
	for _, rec := range s.items.list(c["company"]) {
		sources, _ := rec.fields["SourceIds"].([]string)
		for _, source := range sources {
			if strings.EqualFold(source, c["list"]) {
				found = append(found, rec)
			}
		}
	}
	return itemList(found)
}

func itemList(items []*record) answer {
	return replyRaw(http.StatusOK, append(appendArray([]byte(`{"Items":`), items), '}'))
}

func (s *retail) getItem(_ *http.Request, c captures) answer {
	rec, ok := s.items.get(c["company"], c["item"])
	if !ok {
		return itemNotFound()
	}
	return replyRaw(http.StatusOK, rec.raw())
}

func (s *retail) itemDetails(_ *http.Request, c captures) answer {
	rec, ok := s.items.get(c["company"], c["item"])
	if !ok {
		return itemNotFound()
	}
	return replyJSON(http.StatusOK, s.details(rec))
}

// details is the item with what the product library knows about it.
func (s *retail) details(item *record) document {
	own := document{"CatalogItemId": item.id, "IsLinkedToCuratedProduct": true, "IsArchived": item.fields["IsArchived"]}
	product, ok := s.products.get("", item.fields.text("Slug"))
	if !ok {
		return own
	}
	return product.fields.with(own)
}

// bulkDetails is a POST that only reads: 1 to 500 ids, unknown ones omitted.
func (s *retail) bulkDetails(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	ids, _ := in["CatalogItemIds"].([]any)
	if len(ids) == 0 || len(ids) > maxBulkItems {
		return message(http.StatusBadRequest, "CatalogItemIds must contain between 1 and 500 identifiers")
	}
	found := document{}
	for _, id := range ids {
		text, _ := id.(string)
		if item, ok := s.items.get(c["company"], text); ok {
			found[item.id] = s.details(item)
		}
	}
	return replyJSON(http.StatusOK, document{"CatalogItems": found})
}

// itemStructure groups the item with the other variations of its product.
func (s *retail) itemStructure(_ *http.Request, c captures) answer {
	item, ok := s.items.get(c["company"], c["item"])
	if !ok {
		return itemNotFound()
	}
	master, _, _ := strings.Cut(item.fields.text("Slug"), "-")
	variations := []document{}
	for _, rec := range s.items.list(c["company"]) {
		if strings.HasPrefix(rec.fields.text("Slug"), master+"-") {
			variations = append(variations, itemSummary(rec).with(document{"Revisions": []document{}}))
		}
	}
	return replyJSON(http.StatusOK, document{"Slug": master, "Name": item.fields["Name"], "Variations": variations})
}

func itemSummary(rec *record) document {
	return document{"Name": rec.fields["Name"], "Slug": rec.fields["Slug"], "CatalogItemId": rec.id}
}

// itemsByVendorSku is the hottest read of real clients. They send the two
// parameters in any case.
func (s *retail) itemsByVendorSku(r *http.Request, c captures) answer {
	q := r.URL.Query()
	sku, vendor := param(q, "vendorsku"), param(q, "vendorid")
	if sku == "" {
		return message(http.StatusBadRequest, "vendorsku should not be empty")
	}
	found := []*record{}
	for _, rec := range s.items.list(c["company"]) {
		if vendorMatches(vendor) && strings.EqualFold(rec.fields.text("VendorSku"), sku) {
			found = append(found, rec)
		}
	}
	return replyRaw(http.StatusOK, append(appendArray([]byte(`{"Items":`), found), skuTail(sku, vendor)...))
}

func skuTail(sku, vendor string) string {
	tail := replyJSON(http.StatusOK, document{"Sku": sku, "VendorId": orNil(vendor)})
	return "," + string(tail.body[1:])
}

func orNil(number string) any {
	if number == "" {
		return nil
	}
	return atoi(number)
}

// vendorMatches: the simulated shop has one vendor; no vendor named means any.
func vendorMatches(vendor string) bool { return vendor == "" || atoi(vendor) == seedSupplierID }

func itemNotFound() answer { return message(http.StatusNotFound, "CatalogItem not found") }

func searchTerms(q url.Values) string { return strings.ToLower(param(q, "SearchTerms")) }
