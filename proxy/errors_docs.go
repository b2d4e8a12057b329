package proxy

import (
	"bytes"
	"fmt"
	"strings"

	"iqgateway/internal/exchange"
)

// Docs renders docs/errors.md: every problem that a caller can meet.
func Docs() []byte {
	var b bytes.Buffer
	b.WriteString(docsHead)
	for _, s := range exchange.Specs() {
		fmt.Fprintf(&b, "\n## %s\n\n%d %s", s.Type, s.Status, s.Title)
		if s.ProxyError != "" {
			fmt.Fprintf(&b, " · `Proxy-Status` error `%s`", s.ProxyError)
		}
		fmt.Fprintf(&b, "\n\n%s\n\n**What to do.** %s\n", s.Meaning, s.Remedy)
		if alert := runbook()[s.Type]; alert != "" {
			fmt.Fprintf(&b, "\n**Operators.** The runbook: [%s](runbook.md#%s).\n", alert, strings.ToLower(alert))
		}
	}
	return b.Bytes()
}

// runbook has the section of docs/runbook.md that is about many of a problem.
func runbook() map[exchange.ProblemType]string {
	return map[exchange.ProblemType]string{
		exchange.CallerUnverified:           "IQGWIssuerKeysOld",
		exchange.QuotaExceeded:              "IQGWCallerOutOfQuota",
		exchange.QuotaUnavailable:           "IQGWQuotaRunsOut",
		exchange.CallerTooFast:              "IQGWCallerMeetsItsLimit",
		exchange.CallerBusy:                 "IQGWCallerMeetsItsLimit",
		exchange.BreakerOpen:                "IQGWBreakerOpen",
		exchange.GatewayOverloaded:          "IQGWMemoryShort",
		exchange.TokenUnavailable:           "IQGWTokenEnds",
		exchange.UpstreamCredentialRejected: "IQGWUpstreamRejectsToken",
		exchange.InternalError:              "IQGWPanics",
	}
}

const docsHead = `# Errors

<!-- Generated from internal/exchange by "go test ./proxy -run Docs -update". Do not edit. -->

Every error that the gateway itself makes is ` + "`application/problem+json`" + ` (RFC 9457). Its
` + "`type`" + ` ends with the name of one of the sections below; ` + "`instance`" + ` is the request id
to quote in a report. An answer without that content type comes from iQmetrix.

` + "`outcome`" + ` says what became of a request that changes something: ` + "`not_executed`" + `
never reached iQmetrix and may be sent again, ` + "`unknown`" + ` may have been executed. When
the member is missing the request was refused before it was forwarded, or it
changes nothing. ` + "`retry_after`" + ` is in seconds, like the ` + "`Retry-After`" + ` field.

The ` + "`error`" + ` of ` + "`Proxy-Status`" + ` (RFC 9209) may be more specific than the one named
here: ` + "`dns_error`, `connection_refused`, `connection_timeout`, `connection_terminated`" + ` and so on.
`
