package iqsim

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"iqgateway/internal/pathpattern"
)

// Forms of the X-RateLimit-* fields.
const (
	RateUS   = "us"   // Reset as MM/DD/YYYY HH:MM:SS in UTC: what is on the wire
	RateISO  = "iso"  // Reset as 2016-02-25T13:00:00.0000000Z: what the provider documents
	RateNone = "none" // no fields, though the limit is kept
)

// Ways in which ResetSeconds is rounded. Which one the provider uses cannot be
// told from its answers.
const (
	RoundFloor   = "floor"
	RoundCeil    = "ceil"
	RoundNearest = "round"
)

// Unlimited as a limit of a profile counts nothing.
const Unlimited = -1

// Profile is how one service counts calls and dresses its answers.
type Profile struct {
	// Limit is how many authenticated calls of one holder fit into a window;
	// 0 means 1000, a negative number counts nothing and sends no
	// X-RateLimit-* fields.
	Limit int `json:"limit"`
	// AnonymousLimit is the same for calls without a token. The provider keeps
	// both apart and publishes neither number.
	AnonymousLimit int `json:"anonymousLimit"`
	// RateHeaders is the form of the X-RateLimit-* fields: us (the default),
	// iso or none.
	RateHeaders string `json:"rateHeaders"`
	// Rounding of ResetSeconds, as it was when the request arrived: floor (the
	// default), ceil or round.
	Rounding string `json:"rounding"`
	// ResetSkew is added to ResetSeconds, in seconds. Answers with 7, 9 and 10
	// were observed; a slow answer is as wrong by itself, without this.
	ResetSkew int `json:"resetSkew"`
	// APIMLimit is the value of IQ-APIM-RateLimit-Limit, which nothing
	// enforces; "" leaves the field out. "0" was observed on a 200.
	APIMLimit string `json:"apimLimit"`

	// Fields stand on every answer whose handler did not set them itself.
	Fields []Field `json:"fields"`
	// Rules change the fields of some paths; every rule that matches applies,
	// in this order.
	Rules []FieldRule `json:"rules"`

	// JSONCharset labels JSON as "application/json; charset=utf-8".
	JSONCharset bool `json:"jsonCharset"`
	// Chunked sends every body chunked, however short it is.
	Chunked bool `json:"chunked"`
	// Encodings are the content codings offered, in order of preference.
	// Empty means gzip; "identity" alone turns compression off.
	Encodings []string `json:"encodings"`
	// CompressFrom is the size in bytes from which a body is compressed; 0
	// means 512. application/hal+json never is: the provider's servers
	// compress by a list of media types that lacks it.
	CompressFrom int `json:"compressFrom"`

	// Anonymous are the requests that need no token: "/v1/Countries**", or
	// with a method "GET /images/{id}".
	Anonymous []string `json:"anonymous"`
}

// Field is one response header field, its name spelt as on the wire.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// FieldRule changes the fields of the answers to some requests.
type FieldRule struct {
	// Match is a request as in Profile.Anonymous; upper and lower case are one.
	Match string `json:"match"`
	// Set replaces or adds fields.
	Set []Field `json:"set,omitempty"`
	// Omit removes fields, by name.
	Omit []string `json:"omit,omitempty"`
	// ContentTag sends the MD5 of the body as ETag, and the time of the answer
	// as Last-Modified, as reasoncode does.
	ContentTag bool `json:"contentTag,omitempty"`
}

// profile is a Profile ready for use; immutable.
type profile struct {
	Profile
	fields    []Field
	rules     []compiledRule
	anonymous []requestPattern
}

type compiledRule struct {
	FieldRule
	match requestPattern
}

// requestPattern is an optional method and a path pattern.
type requestPattern struct {
	method string
	path   pathpattern.Pattern
}

func parseRequestPattern(text string) (requestPattern, error) {
	method, path, found := strings.Cut(text, " ")
	if !found {
		method, path = "", text
	}
	p, err := pathpattern.Parse(path)
	if err != nil {
		return requestPattern{}, err
	}
	return requestPattern{method, p}, nil
}

// matches tells whether a request is meant; folded is its path folded.
func (p requestPattern) matches(method, folded string) bool {
	return (p.method == "" || p.method == method) && p.path.MatchFolded(folded)
}

// clone returns a copy that shares nothing with p.
func (p Profile) clone() Profile {
	p.Fields = slices.Clone(p.Fields)
	p.Rules = slices.Clone(p.Rules)
	for i, r := range p.Rules {
		p.Rules[i].Set, p.Rules[i].Omit = slices.Clone(r.Set), slices.Clone(r.Omit)
	}
	p.Encodings = slices.Clone(p.Encodings)
	p.Anonymous = slices.Clone(p.Anonymous)
	return p
}

// compile checks p and prepares it.
func (p Profile) compile() (*profile, error) {
	if p.Limit == 0 {
		p.Limit = 1000
	}
	if p.AnonymousLimit == 0 {
		p.AnonymousLimit = 1000
	}
	if p.CompressFrom == 0 {
		p.CompressFrom = 512
	}
	if len(p.Encodings) == 0 {
		p.Encodings = []string{"gzip"}
	}
	c := &profile{Profile: p, fields: p.Fields}
	errs := []error{
		oneOf("rateHeaders", p.RateHeaders, "", RateUS, RateISO, RateNone),
		oneOf("rounding", p.Rounding, "", RoundFloor, RoundCeil, RoundNearest),
	}
	for _, e := range p.Encodings {
		errs = append(errs, oneOf("encodings", e, "gzip", "deflate", "identity"))
	}
	if p.APIMLimit != "" {
		c.fields = append(slices.Clone(p.Fields), Field{"IQ-APIM-RateLimit-Limit", p.APIMLimit})
	}
	for _, text := range p.Anonymous {
		m, err := parseRequestPattern(text)
		errs = append(errs, err)
		c.anonymous = append(c.anonymous, m)
	}
	for _, r := range p.Rules {
		m, err := parseRequestPattern(r.Match)
		errs = append(errs, err)
		c.rules = append(c.rules, compiledRule{r, m})
	}
	return c, errors.Join(errs...)
}

// needsToken tells whether a request without a token is refused.
func (p *profile) needsToken(method, folded string) bool {
	return !slices.ContainsFunc(p.anonymous, func(m requestPattern) bool { return m.matches(method, folded) })
}

func oneOf(name, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s %q must be one of %q", name, value, allowed)
}
