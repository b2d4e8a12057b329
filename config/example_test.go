package config_test

import (
	"fmt"

	"iqgateway/config"
)

func ExampleLoad() {
	c, _, err := config.Load(config.LoadOptions{
		Path:    "gateway.yaml",
		Data:    []byte("version: 1\nservices: {crm: {quota: {max: 900}}}\n"),
		Environ: []string{"IQGW_SERVICES__CRM__TIMEOUTS__TOTAL=45s"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	sandbox, _ := c.Environment("sandbox")
	crm, _ := sandbox.Service("customers") // the provider's name of the API
	fmt.Println(crm.Upstream)
	fmt.Println(crm.Quota.Max, crm.Source("quota.max"))
	fmt.Println(crm.Timeouts.Total, crm.Source("timeouts.total"))
	// Output:
	// https://crmdemo.iqmetrix.net
	// 900 gateway.yaml:2
	// 45s IQGW_SERVICES__CRM__TIMEOUTS__TOTAL
}

func ExampleLoad_refused() {
	_, _, err := config.Load(config.LoadOptions{
		Path: "gateway.yaml",
		Data: []byte("version: 1\nserver:\n  lameduck: 5s\n  limits: {max_body: 0B}\n"),
	})
	fmt.Println(err)
	// Output:
	// gateway.yaml:3: server.lameduck: unknown key (did you mean "lame_duck"?): server may have address, hosts, tls, forward_proxy, limits, response_headers, trusted_proxies, lame_duck, drain_timeout
	// gateway.yaml:4: server.limits.max_body: "0B" is out of range: it must be 1B to 1TiB; the word for no limit is none
}
