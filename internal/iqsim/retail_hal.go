package iqsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
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

// halDocument puts the links in front of the fields of an encoded object.
func halDocument(links map[string]halLink, raw []byte) []byte {
	encoded, err := json.Marshal(links)
	if err != nil {
		return raw // strings and bools always encode
	}
	out := make([]byte, 0, len(raw)+len(encoded)+12)
	out = append(out, `{"_links":`...)
	out = append(out, encoded...)
	if !bytes.Equal(raw, []byte("{}")) {
		out = append(out, ',')
	}
	return append(out, raw[1:]...)
}

func selfLink(href string) map[string]halLink {
	return map[string]halLink{"self": {Href: href}}
}

// one answers one record in the representation that r asks for.
func one(r *http.Request, status int, href string, raw []byte) answer {
	if !wantsHAL(r.Header.Get("Accept")) {
		return replyRaw(status, raw)
	}
	return replyRaw(status, halDocument(selfLink(href), raw)).as(typeHAL)
}

// many answers the window of a list: a bare array for plain JSON, else HAL
// with the items as _embedded.self. The hrefs are relative to the endpoint, as
// the provider writes them.
func many(r *http.Request, href string, list []*record, w window) answer {
	items := cut(list, w)
	if !wantsHAL(r.Header.Get("Accept")) {
		return replyRaw(http.StatusOK, array(items, nil))
	}
	embedded := array(items, func(rec *record) []byte {
		return halDocument(selfLink(href+"("+rec.id+")"), rec.raw)
	})
	body := halDocument(pageLinks(href, w, len(list)), enclose(`{"_embedded":{"self":`, embedded, `}}`))
	return replyRaw(http.StatusOK, body).as(typeHAL)
}

func enclose(before string, middle []byte, after string) []byte {
	return append(append([]byte(before), middle...), after...)
}

func pageLinks(href string, w window, total int) map[string]halLink {
	at := func(skip int) halLink {
		return halLink{Href: href + "?$skip=" + strconv.Itoa(skip) + "&$top=" + strconv.Itoa(w.top)}
	}
	links := map[string]halLink{"self": at(w.skip)}
	if w.skip+w.top < total {
		links["next"] = at(w.skip + w.top)
	}
	if w.skip > 0 {
		links["prev"] = at(max(0, w.skip-w.top))
	}
	return links
}

// array joins encoded records to a JSON array; form, if any, changes each.
func array(items []*record, form func(*record) []byte) []byte {
	out := []byte{'['}
	for i, rec := range items {
		if i > 0 {
			out = append(out, ',')
		}
		if form == nil {
			out = append(out, rec.raw...)
		} else {
			out = append(out, form(rec)...)
		}
	}
	return append(out, ']')
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
