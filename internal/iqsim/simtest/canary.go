package simtest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// telling is how many bytes of a secret's beginning are not to be seen either: a
// field that is cut off still gives most of it away.
const telling = 16

// Leak returns what stands around the beginning of a secret in a text, however it
// is spelt; "" = it is not in it.
func Leak(text, secret string) string {
	folded := fold(text)
	for _, form := range spellings(secret[:min(telling, len(secret))]) {
		if at := strings.Index(folded, fold(form)); at >= 0 {
			return text[max(0, at-100):min(len(text), at+len(form)+20)]
		}
	}
	return ""
}

// fold makes the letters of hexadecimal and percent-encoding alike, and leaves
// every byte in its place.
func fold(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c - 'A' + 'a'
		}
	}
	return string(b)
}

// spellings are the forms in which a secret could leak, in any case of letters.
func spellings(secret string) []string {
	raw := []byte(secret)
	quoted, _ := json.Marshal(secret) // a string can be
	inGo, spaced := fmt.Sprintf("%#v", raw), strings.Trim(fmt.Sprintf("%d", raw), "[]")
	forms := []string{
		secret, strings.Trim(string(quoted), `"`), strings.Trim(strconv.Quote(secret), `"`),
		url.QueryEscape(secret), url.PathEscape(secret), strings.ReplaceAll(fmt.Sprintf(" % x", raw), " ", "%"),
		hex.EncodeToString(raw), fmt.Sprintf("% x", raw),
		strings.TrimSuffix(strings.TrimPrefix(inGo, "[]byte{"), "}"), spaced, strings.ReplaceAll(spaced, " ", ","),
	}
	for lead := range 3 {
		forms = append(forms, within(base64.RawStdEncoding, raw, lead), within(base64.RawURLEncoding, raw, lead))
	}
	return forms
}

// within returns what a secret becomes in the base64 of more, so many bytes after
// the beginning of a group: without the characters that its neighbours have a
// part in.
func within(coding *base64.Encoding, raw []byte, lead int) string {
	const bits = 6 // of a character
	text := coding.EncodeToString(append(make([]byte, lead), raw...))
	return text[(lead*8+bits-1)/bits : (lead+len(raw))*8/bits]
}
