package iqsim

import "net/http"

// reference serves the public code lists. The documentation shows no
// Authorization for them; the engine lets them in without a token.
func reference() *router {
	rt := &router{}
	serve := func(path string, list []document) {
		fixed := replyJSON(http.StatusOK, list)
		rt.handle(http.MethodGet, path, func(*http.Request, captures) answer { return fixed })
	}
	serve("/v1/Countries", countries())
	serve("/v1/TimeZones", timeZones())
	serve("/v1/Currencies", currencies())
	rt.handle(http.MethodGet, "/v1/Countries({code})", func(_ *http.Request, c captures) answer {
		for _, country := range countries() {
			if country.text("Code") == c["code"] {
				return replyJSON(http.StatusOK, country)
			}
		}
		return notFound()
	})
	return rt
}

func countries() []document {
	country := func(name, code, code3 string, states ...string) document {
		list := []document{}
		for i := 0; i+1 < len(states); i += 2 {
			list = append(list, document{"Code": states[i], "Name": states[i+1]})
		}
		return document{"Name": name, "Code": code, "Alpha3Code": code3, "States": list, "Version": 1}
	}
	return []document{
		country("Canada", "CA", "CAN", "AB", "Alberta", "BC", "British Columbia", "MB", "Manitoba", "ON", "Ontario", "QC", "Quebec", "SK", "Saskatchewan"),
		country("United States", "US", "USA", "CA", "California", "CO", "Colorado", "NY", "New York", "PA", "Pennsylvania", "TX", "Texas"),
		country("Australia", "AU", "AUS", "NSW", "New South Wales", "VIC", "Victoria"),
	}
}

func timeZones() []document {
	return []document{
		{"Id": "Central America Standard Time", "Name": "(GMT-06:00) Saskatchewan", "Version": 1},
		{"Id": "Mountain Standard Time", "Name": "(GMT-07:00) Mountain Time", "Version": 1},
		{"Id": "Pacific Standard Time", "Name": "(GMT-08:00) Pacific Time", "Version": 1},
		{"Id": "Eastern Standard Time", "Name": "(GMT-05:00) Eastern Time", "Version": 1},
	}
}

func currencies() []document {
	return []document{
		{"Code": "CAD", "Name": "Canadian Dollar", "Symbol": "$", "Version": 1},
		{"Code": "USD", "Name": "US Dollar", "Symbol": "$", "Version": 1},
		{"Code": "AUD", "Name": "Australian Dollar", "Symbol": "$", "Version": 1},
	}
}
