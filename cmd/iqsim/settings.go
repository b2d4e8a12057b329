package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"iqgateway/internal/iqsim"
)

// settings are what the flags say.
type settings struct {
	listen      string
	allowRemote bool
	certFile    string
	keyFile     string
	options     iqsim.Options
}

// parseSettings reads the flags. Help goes to stdout, with flag.ErrHelp.
func parseSettings(args []string, stdout io.Writer) (settings, error) {
	var s settings
	var latency, window, lifetime time.Duration
	control := true
	f := flag.NewFlagSet("iqsim", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&s.listen, "listen", "127.0.0.1:19900", "`address` to listen on; port 0 picks a free one")
	f.BoolVar(&s.allowRemote, "allow-remote", false, "listen beyond loopback: anyone who reaches it can then read the ledger")
	f.StringVar(&s.certFile, "tls-cert", "", "PEM `file` with a certificate; with --tls-key, serves HTTPS and HTTP/2")
	f.StringVar(&s.keyFile, "tls-key", "", "PEM `file` with the certificate's key")
	f.StringVar(&s.options.DefaultEnvironment, "environment", "sandbox", "`name` of the environment that /{service}/… addresses: production, sandbox or rc")
	f.DurationVar(&window, "window", time.Minute, "length of a quota window, a multiple of 1s")
	f.StringVar(&s.options.Switches.QuotaScope, "quota-scope", "client", "what calls are counted by: client, token or ip")
	f.DurationVar(&lifetime, "token-lifetime", 12*time.Hour, "lifetime of access tokens")
	f.IntVar(&s.options.Switches.LockAfter, "lock-after", 5, "wrong passwords that lock a user; -1 is never")
	f.Func("limit", "`service=calls` per window, repeatable: crm=50, api/covaorderintake=10; -1 is none", s.addLimit)
	f.DurationVar(&latency, "latency", 0, "added to every answer")
	f.Func("fault", "`fault` armed from the start, repeatable: 'service=crm&kind=status&status=500&count=3'", s.addFault)
	f.BoolVar(&s.options.Switches.FaultHeader, "fault-header", false, "let requests order their own faults in X-Sim-Fault")
	f.IntVar(&s.options.LedgerSize, "ledger", 10_000, "requests that the ledger remembers; -1 is none")
	f.Uint64Var(&s.options.Seed, "seed", 0, "make tokens and chances of faults repeatable; 0 is random")
	f.BoolVar(&control, "control", true, "serve the control endpoints below /_sim/")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			writeHelp(stdout, f)
		}
		return s, err
	}
	s.options.NoControl = !control
	s.options.Switches.Window, s.options.Switches.TokenLifetime = iqsim.Duration(window), iqsim.Duration(lifetime)
	if latency > 0 {
		s.options.Faults = append(s.options.Faults, iqsim.Fault{Kind: iqsim.FaultLatency, Delay: iqsim.Duration(latency)})
	}
	return s, s.check(f.Args())
}

// check reports what cannot be meant.
func (s settings) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q: iqsim takes flags only", rest[0])
	case (s.certFile == "") != (s.keyFile == ""):
		return errors.New("--tls-cert and --tls-key belong together: give both or none")
	case s.options.Switches.Window <= 0 || s.options.Switches.TokenLifetime <= 0:
		return errors.New("--window and --token-lifetime must be above 0")
	}
	host, _, err := net.SplitHostPort(s.listen)
	if err != nil {
		return fmt.Errorf("--listen %q is no address; write 127.0.0.1:19900", s.listen)
	}
	if ip := net.ParseIP(host); !s.allowRemote && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--listen %q is reachable from other machines, which could then read the ledger and revoke tokens; "+
			"listen on 127.0.0.1, or add --allow-remote if that is meant", s.listen)
	}
	return nil
}

func (s *settings) addLimit(text string) error {
	service, value, ok := strings.Cut(text, "=")
	calls, err := strconv.Atoi(value)
	if !ok || service == "" || err != nil || calls == 0 {
		return errors.New("write service=calls, such as crm=50 (-1 for none)")
	}
	if s.options.Limits == nil {
		s.options.Limits = map[string]int{}
	}
	s.options.Limits[service] = calls
	return nil
}

func (s *settings) addFault(text string) error {
	fault, err := iqsim.ParseFault(text)
	s.options.Faults = append(s.options.Faults, fault)
	return err
}
