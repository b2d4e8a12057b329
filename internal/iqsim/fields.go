package iqsim

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

// ruled returns the profile's fields for this request, rules applied.
func (d *dresser) ruled() []Field {
	fields := d.profile.fields
	for _, r := range d.profile.rules {
		if !r.match.matches(d.request.Method, d.folded) {
			continue
		}
		fields = r.apply(fields)
		if r.ContentTag && d.status == http.StatusOK {
			sum := md5.Sum(d.held.Bytes())
			fields = append(fields, Field{"ETag", `"` + hex.EncodeToString(sum[:]) + `"`},
				Field{"Last-Modified", d.now().UTC().Format(http.TimeFormat)})
		}
	}
	return fields
}

// apply returns fields changed by the rule; fields itself stays as it is.
func (r FieldRule) apply(fields []Field) []Field {
	replaced := func(f Field) bool {
		same := func(name string) bool { return strings.EqualFold(name, f.Name) }
		return slices.ContainsFunc(r.Omit, same) ||
			slices.ContainsFunc(r.Set, func(s Field) bool { return same(s.Name) })
	}
	out := make([]Field, 0, len(fields)+len(r.Set)+2)
	for _, f := range fields {
		if !replaced(f) {
			out = append(out, f)
		}
	}
	return append(out, r.Set...)
}

// observedSpelling returns how the provider spells a field name that Go's
// canonical form spells differently.
func observedSpelling(canonical string) string {
	switch canonical {
	case "Etag":
		return "ETag"
	case "X-Ratelimit-Limit":
		return "X-RateLimit-Limit"
	case "X-Ratelimit-Remaining":
		return "X-RateLimit-Remaining"
	case "X-Ratelimit-Reset":
		return "X-RateLimit-Reset"
	case "X-Ratelimit-Resetseconds":
		return "X-RateLimit-ResetSeconds"
	case "Iq-Apim-Ratelimit-Limit":
		return "IQ-APIM-RateLimit-Limit"
	case "X-Aspnet-Version":
		return "X-AspNet-Version"
	case "X-Ua-Compatible":
		return "X-UA-Compatible"
	}
	return canonical
}

// spellAsObserved renames the fields of h. Go sends the names of a header map
// as they stand in it.
func spellAsObserved(h http.Header) {
	for name, values := range h {
		if spelling := observedSpelling(name); spelling != name {
			delete(h, name)
			h[spelling] = values
		}
	}
}
