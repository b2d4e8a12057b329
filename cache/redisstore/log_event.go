package redisstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"iqgateway/cache"
)

// kindLog names the log in key names, sealed values and measurements.
const kindLog = "cachelog"

var errNoID = errors.New("an event without an ID cannot be told from another")

// wireEvent is what lies in the log of an event, beside its ID. What callers
// can choose is bytes: JSON texts would change some of them.
type wireEvent struct {
	Kind        cache.EventKind `json:"k"`
	Environment string          `json:"e,omitempty"`
	Service     string          `json:"s,omitempty"`
	Path        []byte          `json:"p,omitempty"`
	Query       []byte          `json:"q,omitempty"`
	Tag         string          `json:"t,omitempty"`
}

// coarse is what may stand in the log in clear: it drops more, and tells less.
func coarse(e cache.Event) cache.Event {
	if e.Service == (cache.ServiceName{}) {
		return cache.Event{ID: e.ID, Kind: cache.DropAll}
	}
	return cache.Event{ID: e.ID, Kind: cache.DropService, Service: e.Service}
}

func idText(id uint64) string { return fmt.Sprintf("%0*x", idDigits, id) }

// encode returns an event's ID and payload as they stand in the log. The payload
// is sealed for the ID: nobody makes an event out of parts of others.
func (l *Log) encode(e cache.Event) (id, payload string, err error) {
	if e.ID == 0 {
		return "", "", errNoID
	}
	if !l.conn.Sealing() {
		e = coarse(e)
	}
	plain, err := json.Marshal(wireEvent{
		Kind: e.Kind, Environment: e.Service.Environment, Service: e.Service.Service,
		Path: []byte(e.Path), Query: []byte(e.Query), Tag: e.Tag,
	})
	if err != nil {
		return "", "", fmt.Errorf("an event: %w", err)
	}
	if !l.conn.Sealing() {
		return idText(e.ID), string(plain), nil
	}
	sealed, err := l.conn.Seal(kindLog, l.key, e.ID, plain)
	if err != nil {
		return "", "", fmt.Errorf("an event: %w", err)
	}
	return idText(e.ID), sealed, nil
}

// decode reads "<id> <payload>"; ok is false for what cannot be read: it may
// have dropped anything.
func (l *Log) decode(entry string) (e cache.Event, ok bool) {
	first, payload, _ := strings.Cut(entry, " ")
	id, err := strconv.ParseUint(first, 16, 64)
	if err != nil || len(first) != idDigits || id == 0 {
		return cache.Event{}, false
	}
	plain, open := []byte(payload), strings.HasPrefix(payload, "{")
	if !open {
		if plain, err = l.conn.Open(kindLog, l.key, id, payload); err != nil {
			return cache.Event{}, false
		}
	}
	var w wireEvent
	if err := json.Unmarshal(plain, &w); err != nil || !known(w.Kind) {
		return cache.Event{}, false
	}
	e = cache.Event{
		ID: id, Kind: w.Kind, Service: cache.ServiceName{Environment: w.Environment, Service: w.Service},
		Path: string(w.Path), Query: string(w.Query), Tag: w.Tag,
	}
	if open { // anybody can have written it: it drops all that it may mean
		e = coarse(e)
	}
	return e, true
}

// known reports whether this version does what an event of the kind asks for.
func known(k cache.EventKind) bool {
	switch k {
	case cache.DropPath, cache.DropTree, cache.DropPattern, cache.DropTag, cache.DropKey, cache.DropService, cache.DropAll:
		return true
	default:
		return false
	}
}
