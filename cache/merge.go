package cache

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// conditions returns the fields that ask the upstream whether o is still right,
// by the validators that it was stored with (RFC 9111, section 4.3.1); nil when
// it has none.
func conditions(o *Object) http.Header {
	if o.Status < 200 || o.Status > 299 { // of others no condition speaks (RFC 9110, section 13.2.1)
		return nil
	}
	h := http.Header{}
	if tagOf(o).opaque != "" {
		h["If-None-Match"] = []string{strings.Trim(o.Header["Etag"][0], " \t")}
	}
	if _, ok := oneDate(o.Header["Last-Modified"]); ok {
		h["If-Modified-Since"] = o.Header["Last-Modified"]
	}
	if len(h) == 0 {
		return nil
	}
	return h
}

// merged returns o with its header updated by that of a 304 (RFC 9111, section
// 3.2 and 4.3.4). ok is false where the 304 is about another representation, or
// makes the answer one that is not stored: then it must be fetched whole.
// Times, lifetimes and Born are still o's: the caller sets them.
func merged(o *Object, h http.Header) (updated *Object, ok bool) {
	if !confirms(o, h) {
		return nil, false
	}
	return updatedBy(o, h)
}

// confirms reports whether a 304 is about o: the validators that it carries are
// o's. One without any is about the only answer that was asked for.
func confirms(o *Object, h http.Header) bool {
	if lines := h["Etag"]; len(lines) > 0 {
		tag, stored := oneTag(lines), tagOf(o)
		if !tag.weak && !stored.weak {
			return strongMatch(tag, stored)
		}
		return weakMatch(tag, stored)
	}
	if lines := h["Last-Modified"]; len(lines) > 0 && tagOf(o).opaque == "" {
		return sameDate(lines, o.Header["Last-Modified"])
	}
	return true
}

func sameDate(a, b []string) bool {
	first, okFirst := oneDate(a)
	second, okSecond := oneDate(b)
	return okFirst && okSecond && first.Equal(second)
}

// updatedBy replaces fields of o by those of a newer header.
func updatedBy(o *Object, h http.Header) (*Object, bool) {
	newer := storedHeader(h)
	if newer == nil {
		return nil, false
	}
	for name := range newer {
		if describesBody(name) {
			delete(newer, name)
		}
	}
	updated := *o
	updated.checked = nil // of the older copy
	updated.Header = maps.Clone(o.Header)
	maps.Copy(updated.Header, newer)
	vary, ok := varyNames(updated.Header)
	if !ok || storedHeader(updated.Header) == nil {
		return nil, false
	}
	updated.Vary = vary
	return &updated, true
}

// describesBody names fields that say how the stored bytes are to be read. They
// came with those bytes, and a newer header without the bytes does not change
// them (RFC 9111, section 3.2: fields on which the processing of the stored
// response depends).
func describesBody(name string) bool {
	switch name {
	case "Content-Encoding", "Content-Type", "Content-Range", "Content-Length", "Content-Md5", "Content-Digest",
		"Repr-Digest", "Digest", "Content-Language":
		return true
	}
	return false
}

// headEffect is what the answer to a HEAD means for the stored GET.
type headEffect int8

// The effects.
const (
	headNothing headEffect = iota // the stored answer stays as it is
	headUpdates                   // it was confirmed
	headDrops                     // it is outdated
)

// afterHead compares a stored GET with the answer to a later HEAD (RFC 9111,
// section 4.3.5). For headUpdates, updated is o with the answer's fields; times
// and lifetimes are the caller's to set, as for merged.
//
// An answer without any validator proves nothing: it drops where the length
// differs, and never freshens. Failures of the upstream say nothing about what
// is stored.
func afterHead(o *Object, status int, h http.Header) (updated *Object, effect headEffect) {
	switch {
	case status == http.StatusNotFound, status == http.StatusGone:
		if o.Status == status {
			return nil, headNothing
		}
		return nil, headDrops
	case !replaces(status):
		return nil, headNothing
	case status != o.Status:
		return nil, headDrops
	}
	return sameRepresentation(o, h)
}

func sameRepresentation(o *Object, h http.Header) (*Object, headEffect) {
	if lines := h["Content-Length"]; len(lines) > 0 && lines[0] != strconv.Itoa(len(o.Body)) {
		return nil, headDrops
	}
	validated := false
	if lines := h["Etag"]; len(lines) > 0 {
		tag, stored := oneTag(lines), tagOf(o)
		if !weakMatch(tag, stored) || tag.weak != stored.weak {
			return nil, headDrops
		}
		validated = true
	}
	if lines := h["Last-Modified"]; len(lines) > 0 {
		if !sameDate(lines, o.Header["Last-Modified"]) {
			return nil, headDrops
		}
		validated = true
	}
	if !validated {
		return nil, headNothing
	}
	updated, ok := updatedBy(o, h)
	if !ok {
		return nil, headDrops
	}
	return updated, headUpdates
}
