package iqsim

import (
	"net/http"
	"strconv"
)

// customerFull is the customer with everything that it owns.
func (s *retail) customerFull(company string, rec *record) *record {
	parts := document{"MemberOf": []document{}, "RelatedCustomers": []document{}}
	for _, kind := range customerPartKinds() {
		owned := []document{}
		for _, part := range s.customerParts.list(scopeOf(company, rec.id, kind)) {
			owned = append(owned, part.fields)
		}
		parts[kind] = owned
	}
	return &record{id: rec.id, fields: rec.fields.with(parts)}
}

func (s *retail) listCustomerFull(r *http.Request, c captures) answer {
	list, err := filtered(r.URL.Query(), s.customers.list(c["company"]))
	if err != nil {
		return message(http.StatusBadRequest, "Error while extracting the request query: "+err.Error())
	}
	w, err := parseWindow(r.URL.Query(), crmPage, crmPageMax)
	if err != nil {
		return message(http.StatusBadRequest, err.Error())
	}
	page := cut(list, w)
	full := make([]*record, len(list))
	copy(full, list) // only the page is composed; the rest just counts
	for i, rec := range page {
		encoded, err := newRecord(rec.id, s.customerFull(c["company"], rec).fields)
		if err != nil {
			return refusal(err)
		}
		full[min(w.skip, len(list))+i] = encoded
	}
	return many(r, "Companies("+c["company"]+")/CustomerFull", full, w)
}

func (s *retail) getCustomerFull(r *http.Request, c captures) answer {
	rec, ok := s.customers.get(c["company"], c["customer"])
	if !ok {
		return notFound()
	}
	return s.replyFull(r, http.StatusOK, c["company"], rec)
}

// createCustomerFull stores the customer and the parts that come with it.
func (s *retail) createCustomerFull(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	own := in.with()
	for _, kind := range customerPartKinds() {
		delete(own, kind)
	}
	rec, err := s.addCustomer(c["company"], own)
	if err != nil {
		return refusal(err)
	}
	for _, kind := range customerPartKinds() {
		for _, part := range in.objects(kind) {
			if _, err := s.addPart(c["company"], rec.id, kind, part); err != nil {
				return refusal(err)
			}
		}
	}
	return s.replyFull(r, http.StatusCreated, c["company"], rec)
}

func (s *retail) replyFull(r *http.Request, status int, company string, rec *record) answer {
	full, err := newRecord(rec.id, s.customerFull(company, rec).fields)
	if err != nil {
		return refusal(err)
	}
	version, _ := rec.fields.whole("Version")
	a := one(r, status, "Companies("+company+")/CustomerFull("+rec.id+")", full.raw())
	return a.with("Etag", `"`+strconv.Itoa(version)+`"`)
}
