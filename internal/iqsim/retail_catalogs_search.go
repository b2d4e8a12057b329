package iqsim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	catalogPage    = 20
	catalogPageMax = 200
)

// searchItems serves Catalog/Search: items one by one.
func (s *retail) searchItems(r *http.Request, c captures) answer {
	found := s.matchingItems(r.URL.Query(), c["company"])
	page, size, err := parsePage(r.URL.Query(), catalogPage, catalogPageMax)
	if err != nil {
		return message(http.StatusBadRequest, err.Error())
	}
	results := []document{}
	for _, rec := range cut(found, window{(page - 1) * size, size}) {
		results = append(results, s.searchResult(rec))
	}
	return searchReply(results, page, size, len(found))
}

// groupedSearch serves Catalog/GroupedSearch: the variations of a product
// together, under the first of them.
func (s *retail) groupedSearch(r *http.Request, c captures) answer {
	page, size, err := parsePage(r.URL.Query(), catalogPage, catalogPageMax)
	if err != nil {
		return message(http.StatusBadRequest, err.Error())
	}
	groups := []document{}
	var master string
	for _, rec := range s.matchingItems(r.URL.Query(), c["company"]) {
		slug, _, _ := strings.Cut(rec.fields.text("Slug"), "-")
		if slug != master {
			master = slug
			groups = append(groups, s.searchResult(rec).with(document{"ChildProducts": []document{}}))
			continue
		}
		head := groups[len(groups)-1]
		children, _ := head["ChildProducts"].([]document)
		head["ChildProducts"] = append(children, s.searchResult(rec))
	}
	if strings.EqualFold(param(r.URL.Query(), "HasChildProducts"), "true") {
		groups = slices.DeleteFunc(groups, func(d document) bool {
			children, _ := d["ChildProducts"].([]document)
			return len(children) == 0
		})
	}
	return searchReply(cut(groups, window{(page - 1) * size, size}), page, size, len(groups))
}

// matchingItems selects by SearchTerms, VendorIds, ManufacturerIds and the
// dates of creation, in the catalog's order.
func (s *retail) matchingItems(q url.Values, company string) []*record {
	terms := searchTerms(q)
	from, hasFrom := parseInstant(param(q, "CreatedFromUtc"))
	to, hasTo := parseInstant(param(q, "CreatedToUtc"))
	var found []*record
	for _, rec := range s.items.list(company) {
		added, _ := parseInstant(rec.fields.text("DateAddedUtc"))
		switch {
		case terms != "" && !strings.Contains(strings.ToLower(rec.fields.text("Name")), terms),
			!listed(param(q, "VendorIds", "VendorId"), seedSupplierID),
			hasFrom && added.Before(from),
			hasTo && added.After(to):
			continue
		}
		found = append(found, rec)
	}
	return found
}

// listed says whether a comma list names the id; no list names all.
func listed(list string, id int) bool {
	if list == "" {
		return true
	}
	return slices.ContainsFunc(strings.Split(list, ","), func(s string) bool { return atoi(strings.TrimSpace(s)) == id })
}

func (s *retail) searchResult(rec *record) document {
	details := s.details(rec)
	return document{
		"CatalogItemId": rec.id, "Name": rec.fields["Name"], "Slug": rec.fields["Slug"],
		"CanonicalClassification": details["CanonicalClassification"], "Manufacturer": details["Manufacturer"],
		"DateAddedUtc": rec.fields["DateAddedUtc"], "Identifiers": details["VendorSkus"],
		"Vendors":         []document{{"Id": seedSupplierID, "Name": seedVendorName}},
		"MasterProductId": details["MasterProductId"], "VariationId": details["VariationId"],
	}
}

func searchReply(results []document, page, size, total int) answer {
	return replyJSON(http.StatusOK, document{
		"Items":    results,
		"Facets":   document{"Vendors": []document{{"Count": total, "Item": document{"Id": seedSupplierID, "Name": seedVendorName}}}},
		"MetaData": document{"Page": page, "PageSize": size, "TotalResults": total},
	})
}
