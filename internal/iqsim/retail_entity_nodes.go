package iqsim

import "net/http"

// nodes returns where the nodes of a company's tree are kept, and the scope:
// the company itself is the root, its locations are the leaves.
func (s *retail) nodes(company, node string) (from *records, scope string) {
	if node == company {
		return &s.entities, "Companies"
	}
	return &s.locations, company
}

func (s *retail) getNode(_ *http.Request, c captures) answer {
	from, scope := s.nodes(c["company"], c["node"])
	rec, ok := from.get(scope, c["node"])
	if !ok {
		return message(http.StatusNotFound, "Entity not found")
	}
	return replyJSON(http.StatusOK, treeNode(rec.fields, nil))
}

// putNode changes what the tree shows of an entity and leaves the rest of it. A
// location is the same entity under both paths, with one Version.
func (s *retail) putNode(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil || in.empty("Name") {
		return badRequest()
	}
	from, scope := s.nodes(c["company"], c["node"])
	rec, found, err := from.change(scope, c["node"], func(old document) (document, error) {
		next, err := versioned(old, in, s.o.Now(), true)
		if err != nil {
			return nil, err
		}
		shown := document{"Name": next["Name"], "Version": next["Version"], "LastModifiedUtc": stamp(s.o.Now())}
		for _, field := range []string{"Description", "ClientEntityId"} {
			if v, given := in[field]; given {
				shown[field] = v
			}
		}
		return old.with(shown), nil
	})
	switch {
	case err != nil:
		return refusal(err)
	case !found:
		return message(http.StatusNotFound, "Entity not found")
	}
	return replyJSON(http.StatusOK, treeNode(rec.fields, nil))
}
