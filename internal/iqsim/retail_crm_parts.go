package iqsim

import "net/http"

// customerPartRoutes serves one kind of document that customers own. Each
// write also makes a new Version of the customer: the ETag of CustomerFull
// must change with its content.
func (s *retail) customerPartRoutes(rt *router, path, kind string) {
	rt.handle(http.MethodGet, path, func(r *http.Request, c captures) answer {
		if _, ok := s.customers.get(c["company"], c["customer"]); !ok {
			return notFound()
		}
		return crmPageOf(r, customerHref(c)+"/"+kind, s.customerParts.list(partScope(c, kind)))
	})
	rt.handle(http.MethodPost, path, func(r *http.Request, c captures) answer {
		return s.createPart(r, c, kind)
	})
	rt.handle(http.MethodGet, path+"({part})", func(r *http.Request, c captures) answer {
		rec, ok := s.customerParts.get(partScope(c, kind), c["part"])
		if !ok {
			return notFound()
		}
		return one(r, http.StatusOK, partHref(c, kind, rec.id), rec.raw())
	})
	rt.handle(http.MethodPut, path+"({part})", func(r *http.Request, c captures) answer {
		return s.putPart(r, c, kind)
	})
	rt.handle(http.MethodDelete, path+"({part})", func(r *http.Request, c captures) answer {
		rec, ok := s.customerParts.remove(partScope(c, kind), c["part"])
		if !ok {
			return notFound()
		}
		s.touchCustomer(c["company"], c["customer"])
		return one(r, http.StatusOK, partHref(c, kind, rec.id), rec.raw())
	})
}

func (s *retail) createPart(r *http.Request, c captures, kind string) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	if _, ok := s.customers.get(c["company"], c["customer"]); !ok {
		return notFound()
	}
	rec, err := s.addPart(c["company"], c["customer"], kind, in)
	if err != nil {
		return refusal(err)
	}
	s.touchCustomer(c["company"], c["customer"])
	return one(r, http.StatusCreated, partHref(c, kind, rec.id), rec.raw())
}

func (s *retail) putPart(r *http.Request, c captures, kind string) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	rec, found, err := s.customerParts.change(partScope(c, kind), c["part"], func(old document) (document, error) {
		return versioned(old, in, s.o.Now(), false)
	})
	if err != nil {
		return refusal(err)
	}
	if !found {
		return notFound()
	}
	s.touchCustomer(c["company"], c["customer"])
	return one(r, http.StatusOK, partHref(c, kind, rec.id), rec.raw())
}

func (s *retail) addPart(company, customer, kind string, in document) (*record, error) {
	id := s.newID()
	own := document{"Id": id, "CustomerId": customer, "Version": 1}
	return s.customerParts.put(scopeOf(company, customer, kind), id, document{"Default": false}.with(in, own))
}

// touchCustomer makes a new Version of the customer.
func (s *retail) touchCustomer(company, customer string) {
	_, _, _ = s.customers.change(company, customer, func(old document) (document, error) {
		return bumped(old, s.o.Now()), nil
	}) // the document was encoded before, and a customer is never removed
}

func partScope(c captures, kind string) string { return scopeOf(c["company"], c["customer"], kind) }

func partHref(c captures, kind, id string) string {
	return customerHref(c) + "/" + kind + "(" + id + ")"
}
