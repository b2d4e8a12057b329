package proxy

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"iqgateway/internal/exchange"
)

// HeaderMode says how much of its own the gateway adds to answers.
type HeaderMode int8

// The values of server.response_headers.
const (
	HeadersStandard HeaderMode = iota // ids, cache, Via, quota and Server-Timing
	HeadersMinimal                    // ids, cache and Retry-After only
	HeadersDebug                      // further timings
)

// modifyResponse makes an upstream's answer the gateway's.
func (f *forward) modifyResponse(res *http.Response) error {
	in := passageOf(res.Request.Context()).in
	ex := exchange.From(in.Context())
	if err := checkStatus(res, ex); err != nil {
		return err
	}
	challenge := res.Header["Www-Authenticate"]
	cleanHeader(res.Header)
	if challenge != nil && res.StatusCode == http.StatusUnauthorized { // of a service to which callers themselves log in
		res.Header["Www-Authenticate"] = challenge
	}
	res.Trailer = nil // an answer's trailer would slip past every rule above
	if f.options.Locations != nil {
		f.options.Locations.rewriteHeader(res.Header, ex, in)
	}
	f.options.Headers.add(res.Header, ex, res.StatusCode)
	res.Body = &responseBody{ReadCloser: res.Body, exchange: ex, caller: in.Context()}
	return nil
}

// checkStatus refuses answers that must not reach a caller as they are.
func checkStatus(res *http.Response, ex *exchange.Exchange) error {
	status, t := res.StatusCode, ex.Target
	switch {
	case status == http.StatusUnauthorized && ex.Own != nil: // it is about the token that the caller brought
	case status == http.StatusUnauthorized && t.Authentication != "none":
		// 401 is only ever about the caller's own credentials.
		return credentialRejected(t)
	case status < http.StatusOK || status > 599, status == http.StatusProxyAuthRequired:
		// 407 would tell a client that its key for this gateway is wrong.
		p := exchange.Refuse(exchange.UpstreamProtocol,
			"the upstream answered with status "+strconv.Itoa(status)+", which is not one that a service may give")
		if t.Write {
			p.Outcome = exchange.OutcomeUnknown
		}
		return p
	}
	return nil
}

func credentialRejected(t *exchange.Target) *exchange.Problem {
	p := exchange.Refuse(exchange.UpstreamCredentialRejected,
		"the "+t.Service+" service of "+t.Environment+" did not accept the gateway's own credential; your key is fine")
	if t.Write {
		p.Outcome = exchange.NotExecuted
	}
	return p
}

// cleanHeader removes what is not for callers. Hop-by-hop fields are already
// gone. Every other field of the upstream passes untouched.
func cleanHeader(h http.Header) {
	for name := range h {
		if UpstreamOnly(name) {
			delete(h, name)
		}
	}
}

// UpstreamOnly reports whether a field of an answer, by its canonical name, stays
// inside the gateway: the upstream's session and fingerprints, how it knows the
// gateway, what it says to browsers about its own origin (which is not the
// gateway's), and what only the gateway may say.
func UpstreamOnly(name string) bool {
	switch name {
	case "Set-Cookie", "Set-Cookie2",
		"Server", "X-Powered-By", "X-Aspnet-Version", "X-Aspnetmvc-Version",
		"Authorization", "Www-Authenticate", "Authentication-Info",
		"Alt-Svc", "Strict-Transport-Security", "Clear-Site-Data", "Nel", "Report-To", "Reporting-Endpoints",
		"Upgrade", "Trailer", "Keep-Alive",
		"X-Request-Id", "X-Quota-Source", "Server-Timing":
		return true
	}
	for _, prefix := range []string{"Access-Control-", "Arr-", "Proxy-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// add sets the fields that the gateway puts on every proxied answer, but for
// X-Request-Id, which the observe stage has set already.
func (m HeaderMode) add(h http.Header, ex *exchange.Exchange, status int) {
	caches, proxies := h["Cache-Status"], h["Via"] // before ours, whose members come first
	var buffer [fieldsSize]byte
	all := newFields(buffer[:0])
	all = all.end(appendCacheStatus(all.text, ex.Cache), fieldCacheStatus)
	all = m.quotaFields(all, h, ex, status)
	if m != HeadersMinimal {
		all = all.end(m.appendTimings(all.text, ex), fieldServerTiming)
		all = all.end(append(all.text, via...), fieldVia)
	}
	all.set(h)
	if len(caches) > 0 {
		h["Cache-Status"] = slices.Concat(caches, h["Cache-Status"])
	}
	if len(proxies) > 0 && m != HeadersMinimal {
		h["Via"] = slices.Concat(proxies, h["Via"])
	}
}

// appendCacheStatus writes what the cache did, as one member of Cache-Status
// (RFC 9211).
func appendCacheStatus(b []byte, c exchange.CacheView) []byte {
	b = append(b, Pseudonym+"; "...)
	return append(b, cmp.Or(c.Status, "fwd=bypass")...)
}

// appendTimings writes where the time went, in milliseconds.
func (m HeaderMode) appendTimings(b []byte, ex *exchange.Exchange) []byte {
	if ex.Cache.Result != exchange.CacheNone {
		b = append(appendTiming(b, "cache", ex.Cache.Time), ", "...)
	}
	if ex.QuotaView != nil {
		b = append(appendTiming(b, "quota", ex.QuotaWait), ", "...)
	}
	b = appendTiming(b, "token", ex.TokenWait)
	b = append(b, ", "...)
	b = appendTiming(b, "upstream", ex.UpstreamTime)
	if m == HeadersDebug {
		b = append(b, `, attempts;desc="`...)
		b = strconv.AppendInt(b, int64(ex.Attempts), 10)
		b = append(b, '"')
	}
	return b
}

func appendTiming(b []byte, name string, d time.Duration) []byte {
	b = append(b, name...)
	b = append(b, ";dur="...)
	tenths := (d + 50*time.Microsecond) / (100 * time.Microsecond)
	b = strconv.AppendInt(b, int64(tenths/10), 10)
	return append(b, '.', byte('0'+tenths%10))
}
