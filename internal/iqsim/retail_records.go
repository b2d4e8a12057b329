package iqsim

import (
	"fmt"
	"strings"
	"sync"
)

// record is one stored document. It is immutable.
type record struct {
	id      string
	fields  document
	once    sync.Once
	encoded []byte // what raw returns, once it was asked for
}

// raw returns the fields as JSON, encoded once. What callers write is encoded
// when it is written, and refused there; the seed when it is first read, as
// most of it never is.
func (r *record) raw() []byte {
	r.once.Do(func() {
		if r.encoded != nil {
			return
		}
		var err error
		if r.encoded, err = encodeJSON(r.fields); err != nil {
			panic("iqsim: a document of the seed cannot be encoded: " + err.Error()) // constants of this package
		}
	})
	return r.encoded
}

// records keeps the documents of one kind, in order of creation, apart by
// scope: a company, or a company and the document that owns these. A scope
// that was never written to is empty. It is safe for concurrent use; ids are
// compared without regard to case, as the provider does with GUIDs.
type records struct {
	mu     sync.RWMutex
	scopes map[string]*scope
}

type scope struct {
	order []*record
	index map[string]int // folded id -> place in order
}

// scopeOf names the scope below the given ids.
func scopeOf(ids ...string) string { return strings.ToLower(strings.Join(ids, "/")) }

// newRecord returns a record that is encoded already.
func newRecord(id string, fields document) (*record, error) {
	raw, err := encodeJSON(fields)
	if err != nil {
		return nil, fmt.Errorf("encode document %q: %w", id, err)
	}
	return &record{id: id, fields: fields, encoded: raw}, nil
}

// list returns the scope's records, oldest first.
func (s *records) list(in string) []*record {
	s.mu.RLock()
	defer s.mu.RUnlock()
	sc := s.scopes[in]
	if sc == nil {
		return nil
	}
	return append([]*record(nil), sc.order...)
}

// size returns how many records the scope has.
func (s *records) size(in string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if sc := s.scopes[in]; sc != nil {
		return len(sc.order)
	}
	return 0
}

// byScope returns the records of every scope, each oldest first.
func (s *records) byScope() map[string][]*record {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := make(map[string][]*record, len(s.scopes))
	for name, sc := range s.scopes {
		found[name] = append([]*record(nil), sc.order...)
	}
	return found
}

// get returns one record.
func (s *records) get(in, id string) (*record, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.scopes[in].find(id)
}

// put stores a document under id, new or in place of what is there.
func (s *records) put(in, id string, fields document) (*record, error) {
	rec, err := newRecord(id, fields)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open(in).put(rec)
	return rec, nil
}

// change replaces one document by what the function makes of it. No other
// change happens in between; an error of the function leaves all as it was.
// found is false, and the function not called, where there is no such record.
func (s *records) change(in, id string, by func(old document) (document, error)) (rec *record, found bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, found := s.scopes[in].find(id)
	if !found {
		return nil, false, nil
	}
	fields, err := by(old.fields)
	if err != nil {
		return nil, true, err
	}
	rec, err = newRecord(old.id, fields)
	if err != nil {
		return nil, true, err
	}
	s.open(in).put(rec)
	return rec, true, nil
}

// remove deletes one record and returns it.
func (s *records) remove(in, id string) (*record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok := s.scopes[in].find(id)
	if ok {
		s.scopes[in].remove(id)
	}
	return rec, ok
}

// open returns the scope, made if need be. The caller holds the lock.
func (s *records) open(name string) *scope {
	if s.scopes == nil {
		s.scopes = map[string]*scope{}
	}
	sc := s.scopes[name]
	if sc == nil {
		sc = &scope{index: map[string]int{}}
		s.scopes[name] = sc
	}
	return sc
}

func (sc *scope) find(id string) (*record, bool) {
	if sc == nil {
		return nil, false
	}
	at, ok := sc.index[strings.ToLower(id)]
	if !ok {
		return nil, false
	}
	return sc.order[at], true
}

func (sc *scope) put(rec *record) {
	key := strings.ToLower(rec.id)
	if at, ok := sc.index[key]; ok {
		sc.order[at] = rec
		return
	}
	sc.index[key] = len(sc.order)
	sc.order = append(sc.order, rec)
}

func (sc *scope) remove(id string) {
	key := strings.ToLower(id)
	at := sc.index[key]
	delete(sc.index, key)
	sc.order = append(sc.order[:at:at], sc.order[at+1:]...)
	for i, rec := range sc.order[at:] {
		sc.index[strings.ToLower(rec.id)] = at + i
	}
}
