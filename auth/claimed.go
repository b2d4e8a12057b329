package auth

import (
	"context"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"iqgateway/internal/exchange"
)

// maxClaimed bounds what the audit log keeps of a name that was refused, in
// bytes.
const maxClaimed = 256

// claim notes whom a credential names, which the audit log tells if it is
// refused. The first name of a request stays.
func claim(ctx context.Context, name string) {
	if ex := exchange.From(ctx); ex.Claimed == "" {
		ex.Claimed = printable(name)
	}
}

// printable makes a foreign text fit for a log: bounded, in one line, without
// anything that a terminal would act on.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '\uFFFD'
		}
		if b.Len()+utf8.RuneLen(r) > maxClaimed {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// claimName notes the caller that Basic credentials name, if there is one of that
// name: anything else may be a key in the wrong place.
func claimName(r *http.Request, callers map[string]bool) {
	for _, field := range [][]string{r.Header["Authorization"], r.Header["Proxy-Authorization"]} {
		for _, value := range field {
			if p, ok := parseAuthorization(value); ok && callers[p.caller] {
				claim(r.Context(), p.caller)
			}
		}
	}
}

func namesOfCallers(callers []Caller) map[string]bool {
	names := make(map[string]bool, len(callers))
	for _, c := range callers {
		names[c.Name] = true
	}
	return names
}
