package breaker_test

import (
	"testing"

	"iqgateway/breaker"
	"iqgateway/breaker/storetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Fleet {
		store := &breaker.Memory{}
		return storetest.Fleet{One: store, Other: store}
	})
}
