package iqsim

import (
	"fmt"
	"net/http"
	"strconv"
)

// A page of users is 30 unless asked otherwise; outside of 1 to 100 is refused.
const (
	userPage    = 30
	userPageMax = 100
	userScope   = "users"
)

// userManager serves users. Unlock means two things: GET reads whether the
// user is locked, POST on the same URL unlocks.
func (s *retail) userManager() *router {
	rt := &router{}
	rt.handle(http.MethodGet, "/v1/Entities({company})/Users", s.listUsers)
	rt.handle(http.MethodGet, "/v1/Users({user})", func(_ *http.Request, c captures) answer {
		rec, ok := s.users.get(userScope, c["user"])
		if !ok {
			return notFound()
		}
		return replyRaw(http.StatusOK, rec.raw())
	})
	rt.handle(http.MethodPut, "/v1/Users({user})", s.putUser)
	rt.handle(http.MethodDelete, "/v1/Users({user})", s.setUser("IsActive", false))
	rt.handle(http.MethodPost, "/v1/Users({user})/Lock", s.setUser("IsLocked", true))
	rt.handle(http.MethodPost, "/v1/Users({user})/Unlock", s.setUser("IsLocked", false))
	rt.handle(http.MethodGet, "/v1/Users({user})/Unlock", func(_ *http.Request, c captures) answer {
		rec, ok := s.users.get(userScope, c["user"])
		if !ok {
			return notFound()
		}
		return replyJSON(http.StatusOK, document{"Id": rec.fields["Id"], "IsLocked": rec.fields["IsLocked"]})
	})
	s.plainRoutes(rt, plainService{stem: "usermanager"})
	return rt
}

func (s *retail) seedUsers() {
	for n := range 42 {
		id := 22000 + n
		s.users.seed(userScope, strconv.Itoa(id), document{
			"Id": id, "FirstName": "Employee", "LastName": strconv.Itoa(n + 1), "UserName": fmt.Sprintf("employee%d@example.com", n+1),
			"Email": fmt.Sprintf("employee%d@example.com", n+1), "ParentEntityId": 14146, "JobTitle": "Sales",
			"IsActive": true, "IsLocked": n == 41, "ClientUserId": strconv.Itoa(100 + n), "Version": 1,
		})
	}
}

func (s *retail) listUsers(r *http.Request, c captures) answer {
	w, err := parseWindow(r.URL.Query(), userPage, maxBody)
	if err != nil || w.top < 1 || w.top > userPageMax {
		return message(http.StatusBadRequest, "$top must be between 1 and 100")
	}
	if c["company"] != seedCompanyID {
		return replyRaw(http.StatusOK, []byte("[]"))
	}
	return replyRaw(http.StatusOK, appendArray(nil, cut(s.users.list(userScope), w)))
}

// putUser takes a Version if there is one, and refuses one that is stale.
func (s *retail) putUser(r *http.Request, c captures) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	return s.changeUser(c, func(old document) (document, error) {
		next, err := versioned(old, in, s.o.Now(), false)
		if err != nil {
			return nil, refusedError{http.StatusConflict, "User version mismatch"}
		}
		return old.with(next), nil
	})
}

func (s *retail) setUser(field string, value bool) operation {
	return func(_ *http.Request, c captures) answer {
		return s.changeUser(c, func(old document) (document, error) {
			return bumped(old, s.o.Now()).with(document{field: value}), nil
		})
	}
}

func (s *retail) changeUser(c captures, by func(document) (document, error)) answer {
	rec, found, err := s.users.change(userScope, c["user"], by)
	switch {
	case err != nil:
		return refusal(err)
	case !found:
		return notFound()
	}
	return replyRaw(http.StatusOK, rec.raw())
}
