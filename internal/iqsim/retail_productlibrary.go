package iqsim

import (
	"net/http"
	"strings"
)

// maxSlugs is the documented limit of Products/GetBulk.
const maxSlugs = 100

// productLibrary serves products by slug, classification trees and field
// definitions. Its answers depend on the language.
func (s *retail) productLibrary() *router {
	rt := &router{}
	rt.handle(http.MethodGet, "/v1/Products/GetBulk", s.localized(s.bulkProducts))
	rt.handle(http.MethodGet, "/v1/Products/{slug}", s.localized(s.getProduct))
	rt.handle(http.MethodGet, "/v1/ClassificationTrees({tree})", s.localized(s.classificationTree))
	rt.handle(http.MethodGet, "/v1/FieldDefinitions", s.localized(fieldDefinitions))
	rt.handle(http.MethodGet, "/v1/FieldDefinitions({field})", s.localized(oneFieldDefinition))
	return rt
}

// localized answers 406 to a language that the library does not have, when
// that behaviour is switched on. The documented cure is en-US.
func (s *retail) localized(next operation) operation {
	return func(r *http.Request, c captures) answer {
		if s.o.LocaleRequired && !knownLocale(r.Header.Get("Accept-Language")) {
			return message(http.StatusNotAcceptable, "Locale not available")
		}
		return next(r, c).with("Content-Language", "en-US")
	}
}

func knownLocale(accept string) bool {
	for tag := range strings.SplitSeq(accept, ",") {
		tag, _, _ = strings.Cut(tag, ";")
		switch strings.ToLower(strings.TrimSpace(tag)) {
		case "en", "en-us", "en-ca", "fr-ca":
			return true
		}
	}
	return false
}

func (s *retail) getProduct(_ *http.Request, c captures) answer {
	rec, ok := s.products.get("", c["slug"])
	if !ok {
		return message(http.StatusNotFound, "Product not found")
	}
	return replyRaw(http.StatusOK, rec.raw())
}

// bulkProducts serves Products/GetBulk?Slugs=a,b: the products that exist, by
// slug.
func (s *retail) bulkProducts(r *http.Request, _ captures) answer {
	slugs := strings.Split(param(r.URL.Query(), "Slugs"), ",")
	if slugs[0] == "" || len(slugs) > maxSlugs {
		return message(http.StatusBadRequest, "Slugs must contain between 1 and 100 slugs")
	}
	found := document{}
	for _, slug := range slugs {
		if rec, ok := s.products.get("", strings.TrimSpace(slug)); ok {
			found[rec.id] = rec.fields
		}
	}
	return replyJSON(http.StatusOK, document{"Products": found})
}

// classificationTree serves the one tree of the shop, under both of the ids
// that the documentation uses.
func (s *retail) classificationTree(_ *http.Request, c captures) answer {
	id := max(atoi(c["tree"]), 1)
	if c["tree"] != "" && id != 1 && id != 21 {
		return message(http.StatusNotFound, "ClassificationTree not found")
	}
	classes := []document{}
	seen := map[int]bool{}
	for _, m := range models() {
		if !seen[m.classID] {
			seen[m.classID] = true
			classes = append(classes, document{"Id": m.classID, "Name": m.class, "Order": len(classes) + 1, "ProductTemplate": nil})
		}
	}
	return replyJSON(http.StatusOK, document{
		"Id": id, "Name": "Cellular & Accessories", "Description": "Classification tree of the simulated shop",
		"Owner": document{"Id": 2, "Name": "iQmetrix"}, "Version": 878,
		"Categories":      []document{{"Id": 2, "Name": "Devices & Accessories", "Order": 1, "Categories": []document{}, "Classifications": classes}},
		"Classifications": []document{},
	})
}

func definitions() []document {
	define := func(id int, stringID, name, kind string) document {
		return document{"Id": id, "StringId": stringID, "DisplayName": name, "InputType": kind, "IsRequired": false, "LanguageInvariantUnit": nil, "Options": []document{}, "Version": 1}
	}
	return []document{
		define(1, "Product Name", "Product Name", "TextSingleLine"),
		define(84, "Color", "Colour", "TextSingleLine"),
		define(84001, "ShortDescription", "Short Description", "TextMultiLine"),
		define(129, "MSRP", "MSRP", "Currency"),
	}
}

func fieldDefinitions(*http.Request, captures) answer { return replyJSON(http.StatusOK, definitions()) }

func oneFieldDefinition(_ *http.Request, c captures) answer {
	for _, d := range definitions() {
		if id, _ := d.whole("Id"); id == atoi(c["field"]) {
			return replyJSON(http.StatusOK, d)
		}
	}
	return notFound()
}
