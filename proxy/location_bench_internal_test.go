package proxy

import (
	"testing"

	"iqgateway/internal/exchange"
)

func BenchmarkLocation(b *testing.B) {
	l := testLocations()
	view := callerView{form: exchange.FormPath, scheme: "https", host: "", target: target("production", "crm", "https://crm.iqmetrix.net", "/crm")}
	b.ReportAllocs()
	for b.Loop() {
		l.rewrite("https://pointofsale.iqmetrix.net/v1/Orders(5)", view)
	}
}
