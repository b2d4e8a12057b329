package cache

import (
	"cmp"
	"slices"
	"strings"
)

// normalAccept returns an Accept list with one spelling: lower case where case
// means nothing, no optional white space, shortest weights. The order stays, as
// it decides at some servers. What is not by the grammar is only joined.
func normalAccept(values []string) string {
	if len(values) == 1 && isNormalAccept(values[0]) {
		return values[0]
	}
	var members []string
	for member := range listMembers(values) {
		normal, ok := normalMediaRange(member)
		if !ok {
			return normalList(values)
		}
		members = append(members, normal)
	}
	return strings.Join(members, ", ")
}

// isNormalAccept recognises the usual single media range at no cost.
func isNormalAccept(value string) bool {
	for i := range len(value) {
		if c := value[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("/+-.*", rune(c)) {
			return false
		}
	}
	return value != ""
}

// normalMediaRange normalises type/subtype and parameters (RFC 9110, section
// 12.5.1). A parameter's value keeps its case.
func normalMediaRange(member string) (string, bool) {
	parts := splitParameters(member)
	if !strings.Contains(parts[0], "/") || strings.ContainsAny(parts[0], " \t\"") {
		return "", false
	}
	var b strings.Builder
	b.WriteString(strings.ToLower(parts[0]))
	for _, part := range parts[1:] {
		name, value, ok := strings.Cut(part, "=")
		name = strings.ToLower(name)
		if !ok || strings.ContainsAny(name, " \t") || strings.TrimLeft(value, " \t") != value {
			return "", false
		}
		if name == "q" {
			if value, ok = normalWeight(value); !ok {
				return "", false
			}
			if value == "1" && len(parts) == 2 { // with more, q also ends the parameters
				continue
			}
		}
		b.WriteString(";" + name + "=" + value)
	}
	return b.String(), true
}

// languageRange is one member of Accept-Language.
type languageRange struct{ tag, weight string }

// normalLanguages returns an Accept-Language as the set that it is (RFC 9110,
// section 12.5.4): sorted by weight, then by name, each once, in the case that
// RFC 5646 recommends: some servers know "en-US" and not "en-us".
func normalLanguages(values []string) string {
	if len(values) == 1 && isPlainTag(values[0]) {
		return languageCase(values[0])
	}
	var ranges []languageRange
	for member := range listMembers(values) {
		r, ok := parseLanguageRange(member)
		if !ok {
			return normalList(values)
		}
		ranges = append(ranges, r)
	}
	slices.SortFunc(ranges, func(a, b languageRange) int {
		return cmp.Or(-strings.Compare(a.weight, b.weight), strings.Compare(a.tag, b.tag))
	})
	ranges = slices.Compact(ranges)
	var b strings.Builder
	for i, r := range ranges {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(r.tag)
		if r.weight != "1" {
			b.WriteString(";q=" + r.weight)
		}
	}
	return b.String()
}

func parseLanguageRange(member string) (r languageRange, ok bool) {
	parts := splitParameters(member)
	if !isPlainTag(parts[0]) || len(parts) > 2 {
		return r, false
	}
	r.tag, r.weight = languageCase(parts[0]), "1"
	if len(parts) == 1 {
		return r, true
	}
	name, value, _ := strings.Cut(parts[1], "=")
	r.weight, ok = normalWeight(value)
	return r, ok && strings.EqualFold(name, "q")
}

// isPlainTag reports whether s is one language range without a weight.
func isPlainTag(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '-' && s[i] != '*' {
			return false
		}
	}
	return s != ""
}

// languageCase writes a tag as RFC 5646, section 2.1.1, recommends: "en-US",
// "zh-Hant-TW".
func languageCase(tag string) string {
	if len(tag) == 5 && tag[2] == '-' && // "en-US", at no cost
		isLower(tag[0]) && isLower(tag[1]) && isUpper(tag[3]) && isUpper(tag[4]) {
		return tag
	}
	lower := strings.ToLower(tag)
	if !strings.Contains(lower, "-") {
		return lower
	}
	subtags := strings.Split(lower, "-")
	for i, s := range subtags {
		if i == 0 || len(subtags[i-1]) == 1 { // what follows a singleton stays
			continue
		}
		switch len(s) {
		case 2:
			subtags[i] = strings.ToUpper(s)
		case 4:
			subtags[i] = strings.ToUpper(s[:1]) + s[1:]
		}
	}
	return strings.Join(subtags, "-")
}

// normalWeight writes a qvalue (RFC 9110, section 12.4.2) in its shortest form.
func normalWeight(q string) (string, bool) {
	whole, fraction, _ := strings.Cut(q, ".")
	if whole != "0" && whole != "1" || len(fraction) > 3 || strings.Trim(fraction, "0123456789") != "" {
		return "", false
	}
	fraction = strings.TrimRight(fraction, "0")
	switch {
	case fraction == "":
		return whole, true
	case whole == "1":
		return "", false
	default:
		return "0." + fraction, true
	}
}

// acceptedCoding reduces Accept-Encoding to the two codings that are fetched
// and kept: gzip where the caller takes it at least as gladly as no coding at
// all (RFC 9110, section 12.5.3), else identity. A caller that sends no such
// field would often not understand gzip.
func acceptedCoding(values []string) string {
	gzip, identity, rest := "", "", ""
	for member := range listMembers(values) {
		coding, weight := cutWeight(member)
		switch strings.ToLower(coding) {
		case "gzip", "x-gzip":
			gzip = least(gzip, weight)
		case "identity":
			identity = least(identity, weight)
		case "*":
			rest = least(rest, weight)
		}
	}
	gzip = cmp.Or(gzip, rest, "0")
	if gzip != "0" && gzip >= identity {
		return "gzip"
	}
	return "identity"
}

// cutWeight cuts a member that has no other parameter than q. What is not by
// the grammar weighs nothing.
func cutWeight(member string) (name, weight string) {
	name, parameter, found := strings.Cut(member, ";")
	name = strings.TrimRight(name, " \t")
	if !found {
		return name, "1"
	}
	q, value, _ := strings.Cut(strings.TrimLeft(parameter, " \t"), "=")
	weight, ok := normalWeight(value)
	if !ok || !strings.EqualFold(q, "q") {
		return name, "0"
	}
	return name, weight
}

// least returns the smaller of two weights; "" is none yet.
func least(a, b string) string {
	if a == "" {
		return b
	}
	return min(a, b)
}
