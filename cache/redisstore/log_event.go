package redisstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"iqgateway/cache"
)

// kindLog names the log in key names, sealed values and measurements.
const kindLog = "cachelog"

var errNoID = errors.New("an event without an ID cannot be told from another")

// eventFormat begins an event's bytes; no sealed text begins with it. Then come
// kind, environment, service, path, query and tag, each after its length as a
// uvarint: texts of JSON would change some that callers can choose.
const eventFormat byte = 1

func marshalEvent(e cache.Event) []byte {
	b := []byte{eventFormat}
	for _, part := range [...]string{string(e.Kind), e.Service.Environment, e.Service.Service, e.Path, e.Query, e.Tag} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	return b
}

func unmarshalEvent(b []byte) (e cache.Event, ok bool) {
	if len(b) == 0 || b[0] != eventFormat {
		return cache.Event{}, false
	}
	b = b[1:]
	var parts [6]string
	for i := range parts {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return cache.Event{}, false
		}
		parts[i], b = string(b[n:n+int(length)]), b[n+int(length):]
	}
	return cache.Event{
		Kind: cache.EventKind(parts[0]), Service: cache.ServiceName{Environment: parts[1], Service: parts[2]},
		Path: parts[3], Query: parts[4], Tag: parts[5],
	}, len(b) == 0 && parts[0] != ""
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
	plain := marshalEvent(e)
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
	plain, open := []byte(payload), strings.HasPrefix(payload, string(eventFormat))
	if !open {
		if plain, err = l.conn.Open(kindLog, l.key, id, payload); err != nil {
			return cache.Event{}, false
		}
	}
	if e, ok = unmarshalEvent(plain); !ok {
		return cache.Event{}, false
	}
	e.ID = id
	if open { // anybody can have written it: it drops all that it may mean
		e = coarse(e)
	}
	return e, true
}
