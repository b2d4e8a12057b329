package iqsim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"iqgateway/internal/iqsim"
)

// A fault lets two calls fail; the ledger tells what was executed.
func ExampleSim_AddFault() {
	sim, err := iqsim.New(iqsim.Options{})
	if err != nil {
		panic(err)
	}
	if _, err := sim.AddFault(iqsim.Fault{Service: "reference", Kind: iqsim.FaultStatus, Status: 500, Count: 2}); err != nil {
		panic(err)
	}
	for range 3 {
		w := httptest.NewRecorder()
		sim.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/reference/v1/Countries", nil))
		fmt.Println(w.Code)
	}
	fmt.Println(len(sim.Ledger(iqsim.LedgerQuery{Executed: true})), "executed")
	// Output:
	// 500
	// 500
	// 200
	// 1 executed
}
