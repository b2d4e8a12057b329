package iqsim

import "net/http"

// entityManager serves the company tree and the partners. A location is
// written with the Version that was read: a stale or missing one is refused.
func (s *retail) entityManager() *router {
	const company = "/v1/Companies({company})"
	rt := &router{}
	rt.handle(http.MethodGet, company, func(_ *http.Request, c captures) answer {
		return entity(&s.entities, "Companies", c["company"])
	})
	rt.handle(http.MethodGet, company+"/Tree", s.companyTree)
	rt.handle(http.MethodGet, company+"/Tree/Nodes({node})", s.getNode)
	rt.handle(http.MethodPut, company+"/Tree/Nodes({node})", s.putNode)
	rt.handle(http.MethodGet, company+"/Locations", func(_ *http.Request, c captures) answer {
		return replyRaw(http.StatusOK, appendArray(nil, s.locations.list(c["company"])))
	})
	rt.handle(http.MethodPost, company+"/Locations", s.createLocation)
	rt.handle(http.MethodGet, company+"/Locations({location})", func(_ *http.Request, c captures) answer {
		return entity(&s.locations, c["company"], c["location"])
	})
	rt.handle(http.MethodPut, company+"/Locations({location})", s.putLocation)
	for _, kind := range []string{"Manufacturers", "Carriers", "Suppliers"} {
		rt.handle(http.MethodGet, "/v1/"+kind, func(*http.Request, captures) answer {
			return replyRaw(http.StatusOK, appendArray(nil, s.entities.list(kind)))
		})
		rt.handle(http.MethodGet, "/v1/"+kind+"({id})", func(_ *http.Request, c captures) answer {
			return entity(&s.entities, kind, c["id"])
		})
	}
	return rt
}

func entity(from *records, in, id string) answer {
	rec, ok := from.get(in, id)
	if !ok {
		return message(http.StatusNotFound, "Entity not found")
	}
	return replyRaw(http.StatusOK, rec.raw())
}

// companyTree nests the locations, as they are now, below the company.
func (s *retail) companyTree(_ *http.Request, c captures) answer {
	company, ok := s.entities.get("Companies", c["company"])
	if !ok {
		return message(http.StatusNotFound, "Entity not found")
	}
	nodes := []document{}
	for _, rec := range s.locations.list(c["company"]) {
		nodes = append(nodes, treeNode(rec.fields, nil))
	}
	return replyJSON(http.StatusOK, treeNode(company.fields, nodes))
}

func treeNode(d document, nodes []document) document {
	if nodes == nil {
		nodes = []document{}
	}
	return document{
		"Id": d["Id"], "Name": d["Name"], "Description": d["Description"], "Role": d["Role"],
		"IdentityId": d["Id"], "ClientEntityId": d["ClientEntityId"], "Nodes": nodes, "Version": d["Version"],
	}
}

func (s *retail) createLocation(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil || in.empty("Name") {
		return badRequest()
	}
	if _, ok := s.entities.get("Companies", c["company"]); !ok {
		return message(http.StatusNotFound, "Entity not found")
	}
	for _, rec := range s.locations.list(c["company"]) {
		if rec.fields.text("Name") == in.text("Name") {
			return message(http.StatusConflict, "Entity name already exists")
		}
	}
	id := 20000 + int(s.made.Add(1))
	now := stamp(s.o.Now())
	own := document{"Id": id, "Role": "Location", "Version": 1, "CreatedUtc": now, "LastModifiedUtc": now}
	rec, err := s.locations.put(c["company"], own.text("Id"), in.with(own))
	if err != nil {
		return refusal(err)
	}
	return replyRaw(http.StatusCreated, rec.raw())
}

func (s *retail) putLocation(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	rec, found, err := s.locations.change(c["company"], c["location"], func(old document) (document, error) {
		next, err := versioned(old, in, s.o.Now(), true)
		if err != nil {
			return nil, err
		}
		return next.with(document{"Role": "Location", "LastModifiedUtc": stamp(s.o.Now())}), nil
	})
	if err != nil {
		return refusal(err)
	}
	if !found {
		return message(http.StatusNotFound, "Entity not found")
	}
	return replyRaw(http.StatusOK, rec.raw())
}
