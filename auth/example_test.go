package auth_test

import (
	"fmt"

	"iqgateway/auth"
	"iqgateway/internal/exchange"
)

func ExamplePolicy_Decide() {
	policy := auth.NewPolicy([]auth.Caller{{
		Name: "storefront",
		Access: []auth.Access{{
			Credential: "retail", Environment: "production",
			Services: map[string]auth.Grant{"*": {Level: auth.LevelRead}, "crm": {Level: auth.LevelWrite}},
		}},
	}})
	target := &exchange.Target{Environment: "production", Service: "pricing", Write: true}
	_, problem := policy.Decide(auth.Request{Caller: "storefront", Target: target, Method: "PUT", Path: "/v1/x"})
	fmt.Println(problem.Status(), problem.Detail)
	// Output: 403 storefront may not write to pricing in production with this method and path. It may: *: read (retail); crm: write (retail).
}
