package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

const helpText = `iqsim simulates the iQmetrix APIs: tokens, quotas, services, their quirks, and
faults on demand. It keeps everything in memory and needs no network.

Usage:
  iqsim [flags]
  iqsim traffic --help        applications that use it through a gateway

Services answer at /{service}/…, in another environment at
/~{environment}/{service}/…, and under their own host names
({service}.iqmetrix.net, {service}demo…, {service}rc…) when these lead here.

Examples:
  iqsim                                       everything as observed, on loopback
  iqsim --window 10s --limit catalogs=50      small quotas that return quickly
  iqsim --token-lifetime 30s                  tokens that expire while you watch
  iqsim --latency 200ms                       a slow provider
  iqsim --fault 'service=crm&kind=status&status=503&probability=0.1' --seed 7
                                              one call of ten fails, repeatably
  iqsim --fault 'service=order&method=POST&kind=reset&at=after&count=1'
                                              an order that is placed but not answered

Flags:
`

// writeHelp writes the help, flags as --name.
func writeHelp(w io.Writer, f *flag.FlagSet) {
	_, _ = io.WriteString(w, helpText)
	writeFlags(w, f)
}

func writeFlags(w io.Writer, f *flag.FlagSet) {
	f.VisitAll(func(one *flag.Flag) {
		name, usage := flag.UnquoteUsage(one)
		_, _ = fmt.Fprintf(w, "  --%s %s\n      %s%s\n", one.Name, name, usage, defaultOf(one))
	})
}

func defaultOf(f *flag.Flag) string {
	if f.DefValue == "" || f.DefValue == "false" || f.DefValue == "0" || f.DefValue == "0s" {
		return ""
	}
	return " (default " + f.DefValue + ")"
}

// writeGreeting says where the simulation is and what to try.
func writeGreeting(w io.Writer, s settings, addr string) {
	url, curl := "http://"+addr, "curl -s"
	if s.certFile != "" {
		url, curl = "https://"+addr, "curl -s --cacert "+s.certFile
	}
	lines := []string{
		"iqsim listens on " + url,
		"",
		"A token, then a customer read with it:",
		"  TOKEN=$(" + curl + " " + url + "/accounts/v1/oauth2/token -d grant_type=password" +
			" -d client_id=sim-client -d client_secret=sim-secret -d username=sim@example.com -d password=sim-password" +
			` | sed 's/.*"access_token":"\([^"]*\)".*/\1/')`,
		"  " + curl + ` -i -H "Authorization: Bearer $TOKEN" '` + url + `/crm/v1/Companies(14146)/Customers?$top=2'`,
	}
	if !s.options.NoControl {
		lines = append(lines,
			"What was executed, every switch, and a fault:",
			"  "+curl+" "+url+"/_sim/ledger",
			"  "+curl+" "+url+"/_sim/",
			"  "+curl+" "+url+`/_sim/faults -d '{"service":"crm","kind":"status","status":500,"count":3}'`)
	}
	_, _ = io.WriteString(w, strings.Join(lines, "\n")+"\n")
}
