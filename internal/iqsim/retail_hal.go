package iqsim

import (
	"bytes"
	"encoding/json"
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

type halLink struct {
	Href      string `json:"href"`
	Templated bool   `json:"templated"`
}

type halLinks struct {
	Self halLink  `json:"self"`
	Next *halLink `json:"next,omitempty"`
	Prev *halLink `json:"prev,omitempty"`
}

// appendHAL appends an encoded object with the links in front of its fields.
func appendHAL(out []byte, links halLinks, raw []byte) []byte {
	encoded, err := json.Marshal(links)
	if err != nil {
		return append(out, raw...) // strings and bools always encode
	}
	out = append(out, `{"_links":`...)
	out = append(out, encoded...)
	if !bytes.Equal(raw, []byte("{}")) {
		out = append(out, ',')
	}
	return append(out, raw[1:]...)
}

func selfLink(href string) halLinks { return halLinks{Self: halLink{Href: href}} }

// one answers one record in the representation that r asks for.
func one(r *http.Request, status int, href string, raw []byte) answer {
	if !wantsHAL(r.Header.Get("Accept")) {
		return replyRaw(status, raw)
	}
	return replyRaw(status, appendHAL(nil, selfLink(href), raw)).as(typeHAL)
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
		embedded = appendHAL(embedded, selfLink(href+"("+rec.id+")"), rec.raw)
	}
	embedded = append(embedded, `]}}`...)
	return replyRaw(http.StatusOK, appendHAL(nil, pageLinks(href, w, len(list)), embedded)).as(typeHAL)
}

func pageLinks(href string, w window, total int) halLinks {
	at := func(skip int) *halLink {
		return &halLink{Href: href + "?$skip=" + strconv.Itoa(skip) + "&$top=" + strconv.Itoa(w.top)}
	}
	links := halLinks{Self: *at(w.skip)}
	if w.skip+w.top < total {
		links.Next = at(w.skip + w.top)
	}
	if w.skip > 0 {
		links.Prev = at(max(0, w.skip-w.top))
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
		out = append(out, rec.raw...)
	}
	return append(out, ']')
}

// sizeOf is how long the encoded records are as an array.
func sizeOf(items []*record) int {
	size := 4
	for _, rec := range items {
		size += len(rec.raw) + 1
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
