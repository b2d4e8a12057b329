package iqsim

import (
	"net/http"
	"strings"
)

// dcSource makes the answer to one request. Its error is a *dcError.
type dcSource func(dcRequest) (dcTable, error)

// dcRoutes finds the source of a path. Paths have no case.
type dcRoutes struct {
	exact    map[string]dcSource
	prefixes []dcPrefix
}

type dcPrefix struct {
	path   string
	source dcSource
}

func foldPath(path string) string { return strings.ToLower(strings.TrimSuffix(path, "/")) }

// find returns the source of path, or the error to answer.
func (rs dcRoutes) find(path string) (dcSource, error) {
	folded := foldPath(path)
	if source, ok := rs.exact[folded]; ok {
		return source, nil
	}
	for _, p := range rs.prefixes {
		if strings.HasPrefix(folded, p.path) && len(folded) > len(p.path) {
			return p.source, nil
		}
	}
	return nil, refusef(http.StatusNotFound, "Not Found")
}

func (d *dataConnect) newRoutes() dcRoutes {
	return dcRoutes{
		exact: map[string]dcSource{
			"/version": versionSource,
			"/session": sessionSource,

			"/lists/employees":         employeeList,
			"/lists/stores":            storeList,
			"/lists/languages":         languageList,
			"/lists/productidentifier": productList,
			"/lists/reasoncode":        reasonList,
			"/lists/locationtype":      locationTypeList,
			"/lists/locationids":       locationList,
			"/lists/vendorid":          vendorList,
			"/lists/producttype":       productTypeList,

			"/reports/inventorylistingreport":   inventoryReport,
			"/reports/employeemasterlistreport": employeeList,
			"/reports/locationmasterlistreport": storeList,
			"/reports/customerlistreport":       customerReport,
			"/reports/trafficcountreport":       d.trafficReport,
			"/reports/export":                   exportSource,

			"/supplier/availability": availabilitySource,
			"/deltas/customers":      customerDeltas,
			"/import/trafficcount":   d.importTraffic,

			"/bridge/current/schema": bridgeSchema,
			"/bridge/current/data":   bridgeData,
			"/bridge/current/delta":  bridgeDelta,

			"/partner/relationships": relationships,
			"/master/relationships":  relationships,
		},
		// The other reports of the provider all answer with sales.
		prefixes: []dcPrefix{
			{"/reports/", salesReport},
			{"/customizedreports/", salesReport},
			{"/partner/", salesReport},
		},
	}
}

// versionSource answers the only endpoint that needs no token.
func versionSource(dcRequest) (dcTable, error) {
	t := smallTable("version",
		[]dcColumn{{"ApplicationName", "varchar", 64}, {"ApplicationVersion", "varchar", 16}},
		[]dcCell{cellText("IQ.DataConnect.Web.WebApplication"), cellText("1.3.0.51")})
	t.object = true
	return t, nil
}
