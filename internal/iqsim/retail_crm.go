package iqsim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The provider documents a page of 50 and at most 100 for crm; more is
// clamped without a word.
const (
	crmPage    = 50
	crmPageMax = 100
)

// customerParts are the documents that a customer owns.
func customerPartKinds() []string {
	return []string{"Addresses", "ContactMethods", "CustomerExtensions"}
}

// crm serves customers. HAL or bare by Accept; Version is the ETag of
// CustomerFull.
func (s *retail) crm() *router {
	const company = "/v1/Companies({company})"
	rt := &router{}
	rt.handle(http.MethodGet, company+"/Customers", s.listCustomers)
	rt.handle(http.MethodPost, company+"/Customers", s.createCustomer)
	rt.handle(http.MethodGet, company+"/Customers({customer})", s.getCustomer)
	rt.handle(http.MethodPut, company+"/Customers({customer})", s.putCustomer)
	rt.handle(http.MethodDelete, company+"/Customers({customer})", s.disableCustomer)
	rt.handle(http.MethodGet, company+"/CustomerFull", s.listCustomerFull)
	rt.handle(http.MethodPost, company+"/CustomerFull", s.createCustomerFull)
	rt.handle(http.MethodGet, company+"/CustomerFull({customer})", s.getCustomerFull)
	rt.handle(http.MethodGet, company+"/CustomerSearch", s.searchCustomers)
	for _, kind := range customerPartKinds() {
		s.customerPartRoutes(rt, company+"/Customers({customer})/"+kind, kind)
	}
	return rt
}

func (s *retail) listCustomers(r *http.Request, c captures) answer {
	list, err := filtered(r.URL.Query(), s.customers.list(c["company"]))
	if err != nil {
		return message(http.StatusBadRequest, "Error while extracting the request query: "+err.Error())
	}
	return crmPageOf(r, customersHref(c["company"]), list)
}

func (s *retail) getCustomer(r *http.Request, c captures) answer {
	rec, ok := s.customers.get(c["company"], c["customer"])
	if !ok {
		return notFound()
	}
	return one(r, http.StatusOK, customerHref(c), rec.raw())
}

func (s *retail) createCustomer(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	rec, err := s.addCustomer(c["company"], in)
	if err != nil {
		return refusal(err)
	}
	return one(r, http.StatusCreated, customersHref(c["company"])+"("+rec.id+")", rec.raw())
}

// addCustomer stores a new customer; the fields that it does not name get
// their documented defaults.
func (s *retail) addCustomer(company string, in document) (*record, error) {
	if in.empty("PrimaryName") {
		return nil, refusedError{http.StatusBadRequest, "PrimaryName should not be empty"}
	}
	if _, err := strconv.Atoi(company); err != nil {
		return nil, refusedError{http.StatusNotFound, messageNotFound}
	}
	id := s.newID()
	defaults := document{"Disabled": false, "DoNotContact": true, "CustomerTypeId": 2, "CustomerType": "Person"}
	own := document{"Id": id, "Version": 1, "LastModifiedDateUtc": stamp(s.o.Now())}
	return s.customers.put(company, id, defaults.with(in, own))
}

func (s *retail) putCustomer(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	return s.changeCustomer(r, c, func(old document) (document, error) {
		return versioned(old, in, s.o.Now(), false)
	})
}

// disableCustomer serves DELETE: a customer cannot be deleted, it is disabled
// and stays readable.
func (s *retail) disableCustomer(r *http.Request, c captures) answer {
	return s.changeCustomer(r, c, func(old document) (document, error) {
		return bumped(old, s.o.Now()).with(document{"Disabled": true}), nil
	})
}

func (s *retail) changeCustomer(r *http.Request, c captures, by func(document) (document, error)) answer {
	rec, found, err := s.customers.change(c["company"], c["customer"], by)
	if err != nil {
		return refusal(err)
	}
	if !found {
		return notFound()
	}
	return one(r, http.StatusOK, customerHref(c), rec.raw())
}

// searchCustomers serves CustomerSearch?$filter=Criteria eq 'x': names and
// contact methods that contain x, in any case.
func (s *retail) searchCustomers(r *http.Request, c captures) answer {
	criteria, ok := searchCriteria(param(r.URL.Query(), "$filter", "filter"))
	if !ok {
		return message(http.StatusBadRequest, "Error while extracting the request query: $filter must be Criteria eq 'text'")
	}
	var found []*record
	for _, rec := range s.customers.list(c["company"]) {
		full := s.customerFull(c["company"], rec)
		if customerContains(full.fields, criteria) {
			full.fields["Criteria"] = criteria
			found = append(found, full)
		}
	}
	for i, rec := range found {
		encoded, err := newRecord(rec.id, rec.fields)
		if err != nil {
			return refusal(err)
		}
		found[i] = encoded
	}
	return crmPageOf(r, "Companies("+c["company"]+")/CustomerSearch", found)
}

// searchCriteria takes x out of "Criteria eq 'x'".
func searchCriteria(filter string) (string, bool) {
	lexemes, err := lex(filter)
	if err != nil || len(lexemes) != 3 || lexemes[0].word != "Criteria" || !strings.EqualFold(lexemes[1].word, "eq") {
		return "", false
	}
	if text := textOf(lexemes[2].value); text != "" {
		return strings.ToLower(text), true
	}
	return strings.ToLower(lexemes[2].word), lexemes[2].word != ""
}

func customerContains(full document, criteria string) bool {
	texts := []string{full.text("PrimaryName"), full.text("FamilyName"), full.text("AlternateName"), full.text("UniqueIdentifier")}
	texts = append(texts, full.text("PrimaryName")+" "+full.text("FamilyName"))
	parts, _ := full["ContactMethods"].([]document)
	for _, part := range parts {
		texts = append(texts, part.text("Value"))
	}
	return slices.ContainsFunc(texts, func(text string) bool {
		return strings.Contains(strings.ToLower(text), criteria)
	})
}

func crmPageOf(r *http.Request, href string, list []*record) answer {
	w, err := parseWindow(r.URL.Query(), crmPage, crmPageMax)
	if err != nil {
		return message(http.StatusBadRequest, err.Error())
	}
	return many(r, href, list, w)
}

func customersHref(company string) string { return "Companies(" + company + ")/Customers" }

func customerHref(c captures) string {
	return customersHref(c["company"]) + "(" + c["customer"] + ")"
}
