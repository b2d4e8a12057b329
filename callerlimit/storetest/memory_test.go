package storetest_test

import (
	"testing"

	"iqgateway/callerlimit/storetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	m := storetest.NewMemory(nil)
	storetest.Run(t, func(*testing.T) storetest.Fleet { return storetest.Fleet{One: m, Other: m} })
}
