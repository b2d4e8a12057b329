package callerlimit_test

import (
	"testing"

	"iqgateway/callerlimit"
	"iqgateway/callerlimit/storetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	m := callerlimit.NewMemory(nil)
	storetest.Run(t, func(*testing.T) storetest.Fleet { return storetest.Fleet{One: m, Other: m} })
}
