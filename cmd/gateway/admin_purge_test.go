package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/cache"
	"iqgateway/internal/fleet"
)

func knownServices() []purgeService {
	at := func(environment, service, upstream string, tags []string, aliases ...string) purgeService {
		u, err := url.Parse(upstream)
		if err != nil {
			panic(err) // a mistake in this table
		}
		return purgeService{
			ServiceName: cache.ServiceName{Environment: environment, Service: service}, aliases: aliases, upstream: u,
			reached: environment != "rc", tags: tags,
		}
	}
	return []purgeService{
		at("production", "crm", "https://crm.iqmetrix.net", []string{"people", "prices"}, "customers"),
		at("sandbox", "crm", "https://crmdemo.iqmetrix.net", []string{"people"}, "customers"),
		at("rc", "crm", "https://crmrc.iqmetrix.net", []string{"people"}, "customers"),
		at("rc", "taxes", "https://taxesrc.iqmetrix.net", nil),
		at("production", "order", "https://order.iqmetrix.net", nil),
		at("production", "covaorderintake", "https://api.iqmetrix.net/covaorderintake", nil),
		at("production", "vendorinventory", "https://api.iqmetrix.net/vendorinventory", nil),
	}
}

func TestPurgeEvents(t *testing.T) {
	crm := cache.ServiceName{Environment: "production", Service: "crm"}
	demo := cache.ServiceName{Environment: "sandbox", Service: "crm"}
	cova := cache.ServiceName{Environment: "production", Service: "covaorderintake"}
	tests := map[string]struct {
		ask  purgeRequest
		want []cache.Event
	}{
		"a path is folded, of every environment that somebody can reach": {
			purgeRequest{Service: "customers", Path: "/V1/Companies%281%29/"},
			[]cache.Event{{Kind: cache.DropPath, Service: crm, Path: "/v1/companies(1)"}, {Kind: cache.DropPath, Service: demo, Path: "/v1/companies(1)"}},
		},
		"a URL keeps its query byte for byte": {
			purgeRequest{Service: "crm", Environment: "sandbox", URL: "/v1/x?$TOP=5&a=%20"},
			[]cache.Event{{Kind: cache.DropKey, Service: demo, Path: "/v1/x", Query: "$TOP=5&a=%20"}},
		},
		"a URL of an upstream names the service": {
			purgeRequest{URL: "https://CRMdemo.iqmetrix.net/v1/x?a=b"},
			[]cache.Event{{Kind: cache.DropKey, Service: demo, Path: "/v1/x", Query: "a=b"}},
		},
		"a URL of an upstream beside an alias": {
			purgeRequest{Service: "customers", URL: "https://crmdemo.iqmetrix.net/v1/x"},
			[]cache.Event{{Kind: cache.DropKey, Service: demo, Path: "/v1/x"}},
		},
		"services that share a host": {
			purgeRequest{URL: "https://api.iqmetrix.net/covaorderintake/v1/x"},
			[]cache.Event{{Kind: cache.DropKey, Service: cova, Path: "/v1/x"}},
		},
		"a pattern keeps its text": {
			purgeRequest{Service: "crm", Environment: "production", Pattern: "/v1/Companies({company})/**"},
			[]cache.Event{{Kind: cache.DropPattern, Service: crm, Path: "/v1/Companies({company})/**"}},
		},
		"a tag of one service":  {purgeRequest{Service: "crm", Environment: "production", Tag: "people"}, []cache.Event{{Kind: cache.DropTag, Service: crm, Tag: "people"}}},
		"a tag of all services": {purgeRequest{Tag: "people"}, []cache.Event{{Kind: cache.DropTag, Tag: "people"}}},
		"a tag where it is":     {purgeRequest{Service: "crm", Tag: "prices"}, []cache.Event{{Kind: cache.DropTag, Service: crm, Tag: "prices"}}},
		"an environment that is named counts, whoever reaches it": {
			purgeRequest{Environment: "rc", Service: "taxes", All: true},
			[]cache.Event{{Kind: cache.DropService, Service: cache.ServiceName{Environment: "rc", Service: "taxes"}}},
		},
		"so does a service that nobody reaches": {
			purgeRequest{Service: "taxes", All: true},
			[]cache.Event{{Kind: cache.DropService, Service: cache.ServiceName{Environment: "rc", Service: "taxes"}}},
		},
		"a service":              {purgeRequest{Service: "crm", Environment: "sandbox", All: true}, []cache.Event{{Kind: cache.DropService, Service: demo}}},
		"everything":             {purgeRequest{All: true}, []cache.Event{{Kind: cache.DropAll}}},
		"all of one environment": {purgeRequest{Environment: "sandbox", All: true}, []cache.Event{{Kind: cache.DropService, Service: demo}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.ask.events(knownServices())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(samePublic)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// samePublic compares what goes to other replicas.
func samePublic(a, b cache.Event) bool {
	return a.Kind == b.Kind && a.Service == b.Service && a.Path == b.Path && a.Query == b.Query && a.Tag == b.Tag
}

func TestPurgeRefusesWhatCannotBeMeant(t *testing.T) {
	tests := map[string]struct {
		ask  purgeRequest
		want string
	}{
		"nothing":                     {purgeRequest{Service: "crm"}, "exactly one of"},
		"two things":                  {purgeRequest{Service: "crm", Path: "/v1", All: true}, "exactly one of"},
		"a path of no service":        {purgeRequest{Path: "/v1"}, "name the service"},
		"a path with a query":         {purgeRequest{Service: "crm", Path: "/v1?a=b"}, "name a url"},
		"a path without a slash":      {purgeRequest{Service: "crm", Path: "v1"}, "begins with /"},
		"a path that has no reading":  {purgeRequest{Service: "crm", Path: "/v1/%zz"}, "%zz"},
		"a pattern that is none":      {purgeRequest{Service: "crm", Pattern: "/v1/{a"}, `pattern "/v1/{a"`},
		"an essay":                    {purgeRequest{Service: "crm", Path: "/" + strings.Repeat("x", maxPurgeText)}, "longer than"},
		"an unknown service":          {purgeRequest{Service: "crn", All: true}, `no service "crn"`},
		"a service of another place":  {purgeRequest{Environment: "sandbox", Service: "order", All: true}, "there is crm, production/order"},
		"an unknown environment":      {purgeRequest{Environment: "prod", All: true}, `no environment "prod" is configured; there is production, rc, sandbox`},
		"a tag of no rule":            {purgeRequest{Tag: "price"}, `no cache rule has the tag "price"; there is people, prices`},
		"a tag of another service":    {purgeRequest{Environment: "sandbox", Service: "customers", Tag: "prices"}, `no cache rule of sandbox/customers has the tag "prices"; there is people`},
		"a tag where no rule has any": {purgeRequest{Service: "order", Tag: "prices"}, `no cache rule of order has the tag "prices", nor any other`},
		"a URL of nobody":             {purgeRequest{URL: "https://example.com/v1"}, "on no upstream"},
		"a URL beside its prefix":     {purgeRequest{URL: "https://api.iqmetrix.net/covaorderintakes/v1"}, "on no upstream"},
		"a URL of another than named": {purgeRequest{Service: "order", URL: "https://crm.iqmetrix.net/v1"}, "on no upstream"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.ask.events(knownServices())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, %v: want %q", got, err, tt.want)
			}
		})
	}
}

// One command holds so much; what is longer becomes several, in order.
func TestPurgePayloads(t *testing.T) {
	var events []cache.Event
	for range 100 {
		events = append(events, cache.Event{Kind: cache.DropService, Service: cache.ServiceName{Environment: "production", Service: "crm"}})
	}
	payloads, err := purgePayloads(events)
	if err != nil || len(payloads) < 2 || len(payloads) > 8 {
		t.Fatalf("%d payloads, %v", len(payloads), err)
	}
	total := 0
	for _, p := range payloads {
		if len(p) > fleet.MaxPayload {
			t.Errorf("a payload of %d bytes", len(p))
		}
		total += strings.Count(string(p), `"service"`)
	}
	if total != 100 {
		t.Errorf("%d of 100 events are in them", total)
	}
	if _, err := purgePayloads([]cache.Event{{Kind: cache.DropPath, Path: strings.Repeat("x", fleet.MaxPayload)}}); err == nil {
		t.Error("an event that no command holds is accepted")
	}
}

func TestPurgeTextsShowNoPath(t *testing.T) {
	crm := cache.ServiceName{Environment: "production", Service: "crm"}
	got := purgeTexts([]cache.Event{
		{Kind: cache.DropPath, Service: crm, Path: "/secret"},
		{Kind: cache.DropKey, Service: crm, Path: "/secret", Query: "secret"},
		{Kind: cache.DropPattern, Service: crm, Path: "/v1/**"},
		{Kind: cache.DropTag, Service: crm, Tag: "people"},
		{Kind: cache.DropTag, Tag: "people"},
		{Kind: cache.DropService, Service: crm},
		{Kind: cache.DropAll},
	})
	want := []string{
		"one path of production/crm", "one url of production/crm", "pattern /v1/** of production/crm", "tag people of production/crm",
		"tag people", "all of production/crm", "everything",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
