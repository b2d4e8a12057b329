package iqsim

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// wantsHAL says which representation a HAL service gives: without Accept, and
// for anything that is not plain JSON, it is HAL (documented for salesorder,
// observed on crm).
func wantsHAL(accept string) bool {
	for mediaRange := range strings.SplitSeq(accept, ",") {
		mediaType, _, _ := strings.Cut(mediaRange, ";")
		switch strings.ToLower(strings.TrimSpace(mediaType)) {
		case typeHAL:
			return true
		case typeJSON:
			return false
		}
	}
	return true
}

// halLink is a link and its relation. None of the services' links is a
// template.
type halLink struct {
	rel, href string
}

// appendHAL appends an encoded object with the links in front of its fields.
func appendHAL(out []byte, raw []byte, links ...halLink) []byte {
	out = append(out, `{"_links":{`...)
	for i, link := range links {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '"')
		out = append(out, link.rel...)
		out = append(out, `":{"href":`...)
		out = appendText(out, link.href)
		out = append(out, `,"templated":false}`...)
	}
	out = append(out, '}')
	if !bytes.Equal(raw, []byte("{}")) {
		out = append(out, ',')
	}
	return append(out, raw[1:]...)
}

// appendText appends s as a JSON string. Links hold what callers put into the
// path, so anything can be in there; mostly nothing needs an escape.
func appendText(out []byte, s string) []byte {
	plain := !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' })
	if plain {
		out = append(out, '"')
		out = append(out, s...)
		return append(out, '"')
	}
	encoded, err := encodeJSON(s)
	if err != nil {
		return append(out, `""`...) // strings always encode
	}
	return append(out, encoded...)
}

func selfLink(href string) halLink { return halLink{"self", href} }

// one answers one record in the representation that r asks for.
func one(r *http.Request, status int, href string, raw []byte) answer {
	if !wantsHAL(r.Header.Get("Accept")) {
		return replyRaw(status, raw)
	}
	return replyRaw(status, appendHAL(nil, raw, selfLink(href))).as(typeHAL)
}

// many answers the window of a list: a bare array for plain JSON, else HAL
// with the items as _embedded.self. The hrefs are relative to the endpoint, as
// the provider writes them.
func many(r *http.Request, href string, list []*record, w window) answer {
	items := cut(list, w)
	if !wantsHAL(r.Header.Get("Accept")) {
		return replyRaw(http.StatusOK, appendArray(nil, items))
	}
	embedded := slices.Grow([]byte(`{"_embedded":{"self":[`), sizeOf(items)*3/2) // the links come on top
	for i, rec := range items {
		if i > 0 {
			embedded = append(embedded, ',')
		}
		embedded = appendHAL(embedded, rec.raw(), selfLink(href+"("+rec.id+")"))
	}
	embedded = append(embedded, `]}}`...)
	return replyRaw(http.StatusOK, appendHAL(nil, embedded, pageLinks(href, w, len(list))...)).as(typeHAL)
}

func pageLinks(href string, w window, total int) []halLink {
	at := func(rel string, skip int) halLink {
		return halLink{rel, href + "?$skip=" + strconv.Itoa(skip) + "&$top=" + strconv.Itoa(w.top)}
	}
	links := []halLink{at("self", w.skip)}
	if w.skip+w.top < total {
		links = append(links, at("next", w.skip+w.top))
	}
	if w.skip > 0 {
		links = append(links, at("prev", max(0, w.skip-w.top)))
	}
	return links
}

// appendArray appends encoded records as a JSON array.
func appendArray(out []byte, items []*record) []byte {
	out = append(slices.Grow(out, sizeOf(items)), '[')
	for i, rec := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, rec.raw()...)
	}
	return append(out, ']')
}

// sizeOf is how long the encoded records are as an array.
func sizeOf(items []*record) int {
	size := 4
	for _, rec := range items {
		size += len(rec.raw()) + 1
	}
	return size
}

// siblingURL turns the base URL of one service into that of another one in
// the same environment, in the way that the caller uses: ".../api" becomes
// ".../pointofsale", apidemo.iqmetrix.net becomes pointofsaledemo.iqmetrix.net.
func siblingURL(base, from, to string) string {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return "https://" + to + ".iqmetrix.net"
	}
	if path, ok := strings.CutSuffix(u.Path, "/"+from); ok {
		u.Path = path + "/" + to
	} else if host, ok := strings.CutPrefix(u.Host, from); ok {
		u.Host = to + host
	}
	return u.String()
}
