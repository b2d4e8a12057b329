package iqsim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// dcStore is a location of the simulated company.
type dcStore struct {
	id, entity                int
	abbreviation, name        string
	district, region, channel int
}

// dcStores returns the company's locations.
func dcStores() []dcStore {
	names := []string{
		"84 West", "Cornwall Centre", "Southland Mall", "Northgate", "Victoria Square",
		"Harbour Landing", "Lakeshore", "Midtown Plaza", "Confederation", "Stonebridge",
		"Market Mall", "University Heights",
	}
	stores := make([]dcStore, len(names))
	for i, name := range names {
		stores[i] = dcStore{
			id: i + 1, entity: dcCompanyID + 10 + i, name: name,
			abbreviation: fmt.Sprintf("84W%02d", i+1),
			district:     i/3 + 1, region: i/6 + 1, channel: 1,
		}
	}
	return stores
}

// level returns the store's id at a level of the company tree.
func (s dcStore) level(locationType string) (int, bool) {
	switch strings.ToLower(locationType) {
	case "channel":
		return s.channel, true
	case "region":
		return s.region, true
	case "district":
		return s.district, true
	case "store":
		return s.id, true
	default:
		return 0, false
	}
}

// places returns the stores that LocationType and LocationTypeIDs select; the
// whole company without them.
func (q dcRequest) places() ([]dcStore, error) {
	ids, err := q.params.ids("LocationTypeIDs")
	if err != nil {
		return nil, err
	}
	locationType := q.params.get("LocationType")
	if locationType == "" || strings.EqualFold(locationType, "Company") || len(ids) == 0 || slices.Contains(ids, -1) {
		return dcStores(), nil
	}
	if _, ok := (dcStore{}).level(locationType); !ok {
		return nil, refusef(http.StatusBadRequest, "LocationType must be Company, Channel, Region, District or Store, not %q.", locationType)
	}
	return slices.DeleteFunc(dcStores(), func(s dcStore) bool {
		id, _ := s.level(locationType)
		return !slices.Contains(ids, id)
	}), nil
}

// ids returns the numbers of a comma list. The provider runs the text as SQL:
// what is no number there is its 500, although the client is to blame.
func (p dcParams) ids(name string) ([]int, error) {
	var ids []int
	for part := range strings.SplitSeq(p.get(name), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, refusef(http.StatusInternalServerError, "Error converting data type nvarchar to int.")
		}
		ids = append(ids, n)
	}
	return ids, nil
}
