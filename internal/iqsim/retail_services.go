package iqsim

import (
	"maps"
	"net/http"
	"sync/atomic"
	"time"
)

// retail is the state of one environment's services but DataConnect: what the
// seed put there and what callers wrote since. Every write is visible in later
// reads of every service that shows the same thing.
type retail struct {
	o    worldOptions
	made atomic.Int64 // documents created since the start

	customers, customerParts records // customerParts: scoped by company, customer and kind
	locations, entities      records
	items, products          records
	stock, prices            records
	orders, sales            records
	lists, users             records
	purchaseOrders           records
	assets                   assetShelf
}

// retailServices returns the services of one environment by host stem. Each
// handler sees requests with the path below the service; the engine has
// authenticated and counted them.
func retailServices(o worldOptions) map[string]http.Handler {
	s := newRetail(o)
	services := map[string]http.Handler{
		"crm":                      s.crm(),
		"catalogs":                 s.catalogs(),
		"productlibrary":           s.productLibrary(),
		"entitymanager":            s.entityManager(),
		"availability":             s.availability(),
		"pricing":                  s.pricing(),
		"order":                    s.order(),
		"salesorder":               s.salesOrder(),
		"ordermanagementreporting": s.orderReporting(),
		"productsubscriptions":     s.productSubscriptions(),
		"reference":                reference(),
		"ams":                      s.ams(),
		"api":                      s.api(),
		"usermanager":              s.userManager(),
		"vmi":                      soap(),
		"vmi1":                     soap(),
		"vmi3":                     soap(),
		"vmi10":                    soap(),
	}
	maps.Copy(services, s.plainServices())
	return services
}

// newRetail returns the state with the seed in it.
func newRetail(o worldOptions) *retail {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &retail{o: o}
	s.seedCompany()
	s.seedCatalog()
	s.seedCustomers()
	s.seedSubscriptions()
	s.seedUsers()
	return s
}

// newID returns the id of the next document that a caller creates. Ids differ
// between environments, so that a document that crosses over is noticed, and
// repeat between runs, so that a failure can be repeated.
func (s *retail) newID() string {
	return seedID("created in "+s.o.Environment, int(s.made.Add(1)))
}
