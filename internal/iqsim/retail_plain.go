package iqsim

import (
	"net/http"
	"strconv"
	"strings"
)

// plainService is a service that is simulated without a model of its own: what
// was written under a path can be read there, and any other path answers with
// a document that names what was asked for.
type plainService struct {
	stem string
	hal  bool // HAL unless plain JSON is asked for
	// versionTag: single documents carry ETag "<Version>".
	versionTag bool
	// accepted: POST is taken with 202 in place of 201.
	accepted bool
	// resources that have data of their own.
	resources []plainResource
}

// plainCatalogue lists them with what documentation and captures say of each.
func plainCatalogue() []plainService {
	return []plainService{
		{stem: "authproxyatt"},
		{stem: "carrierservices", hal: true},
		{stem: "commission", hal: true},
		{stem: "cost", resources: costResources()},
		{stem: "curation"},
		{stem: "dropship", accepted: true},
		{stem: "generalledger", hal: true, versionTag: true, resources: ledgerResources()},
		{stem: "inventoryadjustment"},
		{stem: "invoice"},
		{stem: "iqloyalty"},
		{stem: "iqtaxprovider", hal: true, resources: taxResources()},
		{stem: "paymentreporting"},
		{stem: "payments"},
		{stem: "platformepc"},
		{stem: "pointofsale", resources: saleResources()},
		{stem: "posreports", resources: saleReportResources()},
		{stem: "punchclock", hal: true},
		{stem: "purchaseorder", hal: true},
		{stem: "reasoncode", resources: reasonResources()},
		{stem: "reporting"},
		{stem: "shippingaggregator", accepted: true},
		{stem: "tradeinreporting"},
	}
}

// plainResource is a kind of document of a plain service.
type plainResource struct {
	// name is the last segment of its paths, without the id.
	name string
	// otherForm: it is HAL where the rest of the service is plain JSON, and the
	// other way round.
	otherForm bool
	// document returns the data of the n-th, n from 0 to plainDocuments-1.
	document func(n int) document
}

// plainDocuments is how many different documents a resource has; higher ids
// begin again.
const plainDocuments = 10_000

// plainSeeded is how many documents of each resource its list shows.
const plainSeeded = 12

// resource returns the resource that a path names last, nil if it has no data.
func (p plainService) resource(path string) *plainResource {
	name, _, _ := strings.Cut(path[strings.LastIndexByte(path, '/')+1:], "(")
	for i := range p.resources {
		if strings.EqualFold(p.resources[i].name, name) {
			return &p.resources[i]
		}
	}
	return nil
}

// halAt tells whether a path is served as HAL.
func (p plainService) halAt(path string) bool {
	res := p.resource(path)
	return p.hal != (res != nil && res.otherForm)
}

func (s *retail) plainServices() map[string]http.Handler {
	services := map[string]http.Handler{}
	for _, p := range plainCatalogue() {
		rt := &router{}
		s.plainRoutes(rt, p)
		services[p.stem] = rt
	}
	return services
}

// plainRoutes answers every path; it comes after the routes that know better.
func (s *retail) plainRoutes(rt *router, p plainService) {
	written := &records{}
	rt.handleAny(http.MethodGet, func(r *http.Request) answer { return s.plainGet(r, p, written) })
	rt.handleAny(http.MethodPost, func(r *http.Request) answer { return s.plainPost(r, p, written) })
	rt.handleAny(http.MethodPut, func(r *http.Request) answer { return s.plainPut(r, p, written) })
	rt.handleAny(http.MethodDelete, func(r *http.Request) answer {
		written.remove(plainScope, plainPath(r))
		return noContent()
	})
}

const (
	plainScope = "paths"
	// maxPlain bounds what callers can store in one plain service.
	maxPlain = 4096
	// plainVersion is what a document that nobody wrote has: the Version in
	// the captured ledger account.
	plainVersion = 5
)

func plainPath(r *http.Request) string { return strings.TrimSuffix(r.URL.Path, "/") }

func (s *retail) plainGet(r *http.Request, p plainService, written *records) answer {
	if rec, ok := written.get(plainScope, plainPath(r)); ok {
		return s.plainReply(r, http.StatusOK, p, rec)
	}
	if res := p.resource(plainPath(r)); res != nil && !strings.HasSuffix(plainPath(r), ")") {
		return s.plainList(r, p, written)
	}
	rec, err := newRecord(plainPath(r), s.echo(plainPath(r), p))
	if err != nil {
		return refusal(err)
	}
	return s.plainReply(r, http.StatusOK, p, rec)
}

// plainList serves the documents of a resource: those of the seed, as callers
// changed them, and those that callers added.
func (s *retail) plainList(r *http.Request, p plainService, written *records) answer {
	path := plainPath(r)
	list := make([]*record, 0, plainSeeded)
	for n := range plainSeeded {
		id := strconv.Itoa(n + 1)
		rec := &record{id: id, fields: s.echo(path+"("+id+")", p)}
		if changed, ok := written.get(plainScope, path+"("+id+")"); ok {
			rec = &record{id: id, fields: changed.fields}
		}
		list = append(list, rec)
	}
	for _, rec := range written.list(plainScope) {
		id, below := strings.CutPrefix(rec.id, path+"(")
		if id = strings.TrimSuffix(id, ")"); below && (atoi(id) < 1 || atoi(id) > plainSeeded) {
			list = append(list, &record{id: id, fields: rec.fields})
		}
	}
	if p.halAt(path) {
		return many(r, strings.TrimPrefix(path, "/"), list, window{0, len(list)})
	}
	return replyRaw(http.StatusOK, appendArray(nil, list))
}

// plainPost stores the body under a new id below the path.
func (s *retail) plainPost(r *http.Request, p plainService, written *records) answer {
	in, err := readDocument(r)
	if err != nil {
		in = document{}
	}
	status := http.StatusCreated
	if p.accepted {
		status = http.StatusAccepted
	}
	id := s.newID()
	return s.plainStore(r, status, p, written, plainPath(r)+"("+id+")", in.with(document{"Id": id, "Version": 1}))
}

// plainPut stores the body under the path, with the next Version.
func (s *retail) plainPut(r *http.Request, p plainService, written *records) answer {
	in, err := readDocument(r)
	if err != nil {
		return badRequest()
	}
	version := plainVersion
	if old, ok := written.get(plainScope, plainPath(r)); ok {
		version, _ = old.fields.whole("Version")
	}
	return s.plainStore(r, http.StatusOK, p, written, plainPath(r), s.echo(plainPath(r), p).with(in, document{"Version": version + 1}))
}

func (s *retail) plainStore(r *http.Request, status int, p plainService, written *records, path string, d document) answer {
	if written.size(plainScope) >= maxPlain {
		return message(http.StatusInsufficientStorage, "The simulated service holds as much as it will.")
	}
	rec, err := written.put(plainScope, path, d)
	if err != nil {
		return refusal(err)
	}
	return s.plainReply(r, status, p, rec)
}

// echo is the document of a path that nobody wrote: Companies(1)/Accounts(7)
// gives {"Companies":"1","Accounts":"7",…} and the data of the seventh account.
func (s *retail) echo(path string, p plainService) document {
	d := document{"Service": p.stem, "Environment": s.o.Environment, "Version": plainVersion}
	for segment := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		name, rest, ok := strings.Cut(segment, "(")
		if ok && name != "" {
			d[name] = unquote(strings.TrimSuffix(rest, ")"))
			d["Id"] = d[name]
			continue
		}
		d["Resource"] = segment
	}
	if res := p.resource(path); res != nil {
		return d.with(res.document(max(0, atoi(d.text("Id"))) % plainDocuments))
	}
	return d
}

func (s *retail) plainReply(r *http.Request, status int, p plainService, rec *record) answer {
	a := replyRaw(status, rec.raw())
	if p.halAt(rec.id) {
		a = one(r, status, strings.TrimPrefix(rec.id, "/"), rec.raw())
	}
	if p.versionTag && strings.HasSuffix(rec.id, ")") {
		version, _ := rec.fields.whole("Version")
		a = a.with("Etag", strconv.Quote(strconv.Itoa(version)))
	}
	return a
}
