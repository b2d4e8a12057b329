package iqsim

import (
	"net/http"
	"slices"
	"strings"
)

// The three errors of the provider's Product Subscription page.
const (
	subscriptionForeign = "Validation failed. EntityId does not belong to vendor"
	subscriptionMissing = "Document not found"
	subscriptionEmpty   = " should not be empty" // after the field's name
)

// productSubscriptions serves the six operations of the provider's page. The
// caller chooses the list's GUID, and PUT both creates a list and replaces all
// of its products, so repeating one is safe.
func (s *retail) productSubscriptions() *router {
	rt := &router{}
	rt.handle(http.MethodGet, "/v1/subscription({list})", s.getSubscription)
	rt.handle(http.MethodPut, "/v1/subscription({list})/company({company})", s.subscribe)
	rt.handle(http.MethodDelete, "/v1/subscription({list})/company({company})", s.unsubscribe)
	rt.handle(http.MethodGet, "/v1/subscribablelists({list})", s.getSubscribableList)
	rt.handle(http.MethodPut, "/v1/subscribablelists({list})", s.putSubscribableList)
	rt.handle(http.MethodPost, "/v1/subscribablelists", s.postSubscribableList)
	return rt
}

const (
	listScope      = "lists"
	companiesField = "companies" // kept beside the list's own fields, never shown
)

func (s *retail) seedSubscriptions() {
	products := []document{}
	for _, item := range s.items.list(seedCompanyID)[:12] {
		products = append(products, document{
			"ProductName": item.fields["Name"], "VendorSku": item.fields["VendorSku"], "Price": price("24.99"),
			"Dropshippable": true, "ProductSlugs": []any{item.fields["Slug"]}, "Version": 1,
		})
	}
	s.lists.seed(listScope, seedListID, document{
		"Id": seedListID, "EntityId": seedSupplierID, "Name": "Nozama's Product List", "Dropshippable": true,
		"Products": products, "Version": 2,
		companiesField: []document{{"Id": 14146, "Name": "Kentel Corp", "DateSubscribedUtc": stamp(seedTime(0))}},
	})
}

// getSubscription serves the companies that a list is given to. The page's
// resource is an array of subscriptions, with this one in it.
func (s *retail) getSubscription(_ *http.Request, c captures) answer {
	rec, ok := s.lists.get(listScope, c["list"])
	if !ok {
		return message(http.StatusNotFound, subscriptionMissing)
	}
	return replyJSON(http.StatusOK, []document{{"ListId": rec.id, "Companies": rec.fields[companiesField]}})
}

func (s *retail) getSubscribableList(_ *http.Request, c captures) answer {
	rec, ok := s.lists.get(listScope, c["list"])
	if !ok {
		return message(http.StatusNotFound, subscriptionMissing)
	}
	return replyList(http.StatusOK, rec)
}

func replyList(status int, rec *record) answer {
	products, _ := rec.fields["Products"].([]document)
	shown := rec.fields.with(document{"CountOfProducts": len(products)})
	delete(shown, companiesField)
	return replyJSON(status, shown)
}

// postSubscribableList creates a list whose GUID is in the body.
func (s *retail) postSubscribableList(r *http.Request, _ captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	if in.empty("Id") {
		return message(http.StatusBadRequest, "Id"+subscriptionEmpty)
	}
	return s.storeList(http.StatusCreated, in.text("Id"), in)
}

func (s *retail) putSubscribableList(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	return s.storeList(http.StatusOK, c["list"], in)
}

// storeList creates the list, or replaces the whole of its products. The page
// has both at the same address: a new list needs no Products, and a body
// without them does not empty one that is there.
func (s *retail) storeList(status int, id string, in document) answer {
	if err := s.checkList(in); err != nil {
		return refusal(err)
	}
	rec, found, err := s.lists.change(listScope, id, func(old document) (document, error) {
		if in["Products"] == nil {
			return nil, refusedError{http.StatusBadRequest, "Products" + subscriptionEmpty}
		}
		version, _ := old.whole("Version")
		return listDocument(old, in).with(document{"Version": version + 1}), nil
	})
	if err == nil && !found {
		fresh := document{"Id": id, "Version": 1, companiesField: []document{}}
		rec, err = s.lists.put(listScope, id, listDocument(fresh, in))
	}
	if err != nil {
		return refusal(err)
	}
	return replyList(status, rec)
}

func (s *retail) checkList(in document) error {
	if in.empty("EntityId") {
		return refusedError{http.StatusBadRequest, "EntityId" + subscriptionEmpty}
	}
	if _, ok := s.entities.get("Suppliers", in.text("EntityId")); !ok {
		return refusedError{http.StatusBadRequest, subscriptionForeign}
	}
	if in.empty("Name") {
		return refusedError{http.StatusBadRequest, "Name" + subscriptionEmpty}
	}
	products := in.objects("Products")
	if list, isList := in["Products"].([]any); in["Products"] != nil && (!isList || len(list) != len(products)) {
		return refusedError{http.StatusBadRequest, messageInvalid}
	}
	for _, product := range products {
		if product.empty("VendorSku") { // it alone: ProductName is optional
			return refusedError{http.StatusBadRequest, "VendorSku" + subscriptionEmpty}
		}
	}
	return nil
}

// listDocument makes the new list. Slugs and versions of products that the old
// list had (by vendor SKU) are carried over, as the page says.
func listDocument(old, in document) document {
	before, _ := old["Products"].([]document)
	products := []document{}
	for _, product := range in.objects("Products") {
		kept := document{"ProductSlugs": []any{}, "Version": 1}
		if at := slices.IndexFunc(before, func(d document) bool { return strings.EqualFold(d.text("VendorSku"), product.text("VendorSku")) }); at >= 0 {
			kept = document{"ProductSlugs": before[at]["ProductSlugs"], "Version": before[at]["Version"]}
		}
		products = append(products, product.with(kept))
	}
	return document{
		"Id": old["Id"], "Version": old["Version"], companiesField: old[companiesField],
		"EntityId": in["EntityId"], "Name": in["Name"], "Dropshippable": in["Dropshippable"] == true, "Products": products,
	}
}

func (s *retail) subscribe(_ *http.Request, c captures) answer {
	return s.changeCompanies(c, func(companies []document) []document {
		name := "Company " + c["company"]
		if company, ok := s.entities.get("Companies", c["company"]); ok {
			name = company.fields.text("Name")
		}
		added := document{"Id": atoi(c["company"]), "Name": name, "DateSubscribedUtc": stamp(s.o.Now())}
		return append(without(companies, c["company"]), added)
	})
}

func (s *retail) unsubscribe(_ *http.Request, c captures) answer {
	return s.changeCompanies(c, func(companies []document) []document {
		return without(companies, c["company"])
	})
}

func without(companies []document, id string) []document {
	return slices.DeleteFunc(slices.Clone(companies), func(d document) bool { return d.text("Id") == id })
}

// changeCompanies answers 204, whether or not it changed anything: both
// operations may be repeated.
func (s *retail) changeCompanies(c captures, by func([]document) []document) answer {
	if atoi(c["company"]) <= 0 {
		return message(http.StatusNotFound, subscriptionMissing)
	}
	_, found, err := s.lists.change(listScope, c["list"], func(old document) (document, error) {
		companies, _ := old[companiesField].([]document)
		return old.with(document{companiesField: by(companies)}), nil
	})
	if err != nil {
		return refusal(err)
	}
	if !found {
		return message(http.StatusNotFound, subscriptionMissing)
	}
	return noContent()
}
