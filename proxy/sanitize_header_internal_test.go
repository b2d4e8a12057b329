package proxy

import "testing"

// A gateway knows itself in Via however proxies on the way have spelled the rest.
func TestNamesOfVia(t *testing.T) {
	for value, want := range map[string]bool{
		"1.1 iqgateway": true, "HTTP/1.1 IQGateway": true, "2 iqgateway (v1)": true, "1.0 fred,1.1 iqgateway": true,
		"1.1 iqgateway, 1.1 squid": true, "1.1 a (x, y), 1.1\tiqgateway": true, ",, 1.1 iqgateway ,": true,
		"": false, "iqgateway": false, "1.1 iqgateway2": false, "1.1 not-iqgateway": false, "1.1 a (1.1 iqgateway)": false,
	} {
		if names(value, Pseudonym) != want {
			t.Errorf("%q: %t", value, !want)
		}
	}
}
