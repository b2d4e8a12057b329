package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/proxy"
	"iqgateway/tokencache"
)

// lookAtUpstreams connects to each host that some caller may use, as requests
// would. Nothing of HTTP is sent.
func (d *doctor) lookAtUpstreams(ctx context.Context) {
	used := map[proxy.PoolKey]*proxy.Pool{}
	for _, s := range d.usedServices() {
		used[proxy.PoolKey{Environment: s.Environment, Origin: s.Origin()}] = nil
	}
	for _, name := range d.usedCredentials() {
		if c, err := tokenCredential(d.gateway.cfg, name); err == nil {
			used[proxy.PoolKey{Environment: c.Environment, Origin: originOf(c.TokenURL)}] = nil
		}
	}
	for _, pool := range d.generation.pools {
		if _, is := used[pool.Key()]; is {
			used[pool.Key()] = pool
		}
	}
	lookAtEach(slices.Collect(maps.Values(used)), func(pool *proxy.Pool) {
		if pool != nil {
			d.report(reachFinding(ctx, pool))
		}
	})
}

func reachFinding(ctx context.Context, pool *proxy.Pool) finding {
	key := pool.Key()
	f := finding{Check: "upstream", Subject: key.Environment + " " + key.Origin, Status: findingOK}
	reach, err := pool.Reach(ctx)
	if err != nil {
		f.Status, f.Value = findingFailure, err.Error()
		f.Why = "requests to it are answered 502 or 504"
		f.Remedy = reachRemedy(reach, err, key.Environment)
		return f
	}
	parts := []string{"connected"}
	if len(reach.Addresses) > 0 {
		parts[0] = strings.Join(reach.Addresses, ", ")
	}
	if reach.TLS != nil {
		ends := reach.TLS.PeerCertificates[0].NotAfter
		parts = append(parts, tls.VersionName(reach.TLS.Version), "issued by "+reach.TLS.PeerCertificates[0].Issuer.String(), "until "+ends.UTC().Format(time.DateOnly))
		if time.Until(ends) < certificateSoon {
			f.Status, f.Why, f.Remedy = findingWarning, "its certificate ends soon; then every request fails", "tell who runs it"
		}
	}
	f.Value = strings.Join(parts, ", ")
	return f
}

func reachRemedy(reach proxy.Reach, err error, environment string) string {
	if _, is := errors.AsType[*net.DNSError](err); is {
		return "see that the name is right, and environments." + environment + ".resolver"
	}
	if reach.Connected {
		return "see environments." + environment + ".upstream_tls, and whether something between breaks TLS open"
	}
	return "open the way to it (firewall, NetworkPolicy), or set environments." + environment + ".proxy_url"
}

type tripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (t tripper) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// lookAtTokens has each credential get its token as a request would: the one of
// the fleet, or by one login, which counts among the fleet's attempts.
func (d *doctor) lookAtTokens(ctx context.Context) {
	lookAtEach(d.usedCredentials(), func(name string) {
		id := tokencache.ID{Environment: d.gateway.cfg.Credentials[name].Environment, Credential: name}
		err := d.generation.tokens.Obtain(ctx, id)
		d.report(d.tokenFinding(id, err))
	})
}

func (d *doctor) tokenFinding(id tokencache.ID, err error) finding {
	f := finding{Check: "token", Subject: id.String(), Status: findingOK}
	var state tokencache.Status
	for _, s := range d.generation.tokens.Status() {
		if s.Environment == id.Environment && s.Credential == id.Credential {
			state = s
		}
	}
	if err != nil {
		f.Status, f.Value = findingFailure, cmp.Or(state.LastError, err.Error())
		f.Why, f.Remedy = "requests with this credential are answered 503", "see that the token endpoint can be reached"
		switch state.State { //nolint:exhaustive // the others say no more than the error
		case tokencache.StateRefused:
			f.Why = fmt.Sprintf("the password was refused (%d times of three in an hour); the provider locks accounts", state.Refusals)
			f.Remedy = "put credentials." + id.Credential + " right before the gateway, or this command, tries again"
		case tokencache.StateStopped:
			f.Why = "it was refused too often and is not tried any more"
			f.Remedy = "repair the account, then change its secrets or run `gateway token retry " + id.Credential + "`"
		}
		return f
	}
	how := "got by one login"
	if state.Holder != "" && state.Holder != d.gateway.replica {
		how = "shared by the fleet, got by " + state.Holder
	}
	f.Value = how + ", until " + state.Expires.UTC().Format(time.RFC3339)
	return f
}

// errTokenRefused keeps a 401 from the token stage, which would log in again.
var errTokenRefused = errors.New("it answered 401 to the token")

func refuseTokenOnce(next http.RoundTripper) http.RoundTripper {
	return tripper(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err == nil && response.StatusCode == http.StatusUnauthorized {
			exchange.Discard(response)
			return nil, errTokenRefused
		}
		return response, err
	})
}

// lookAtPings asks each service for its ping, for one token of its quota.
func (d *doctor) lookAtPings(ctx context.Context) {
	p := d.generation.pings
	once := *p          // a 401 ends it: another login could only be refused too
	once.patient = true // a store that answers slowly is no spent quota
	once.transport = d.generation.pingStages(refuseTokenOnce)(p.attempt)
	lookAtEach(d.usedServices(), func(s *config.EffectiveService) {
		at := serviceKey{s.Environment, s.Name}
		if _, known := p.targets[at]; known {
			pong, err := once.ask(ctx, at)
			d.reportAll(pingFindings(at, pong, err))
		}
	})
}

func pingFindings(at serviceKey, pong proxy.Pong, err error) []finding {
	f := finding{Check: "ping", Subject: at.environment + "/" + at.service, Status: findingOK}
	switch {
	case errors.Is(err, errTokenRefused):
		f.Status, f.Value = findingFailure, err.Error()
		f.Why = "a token is good in the environment of its account alone"
		f.Remedy = "see whether the credential's account is one of environment " + at.environment + " (a sandbox account fits no production), and may use the service"
	case err != nil:
		f.Status, f.Value = findingFailure, problemText(err)
		f.Why, f.Remedy = "requests to it would fare alike", "see the findings of its upstream and token"
	case pong.Status/100 != 2:
		f.Status, f.Value = findingWarning, fmt.Sprintf("status %d", pong.Status)
		f.Why, f.Remedy = "the upstream is reached, but not well", "ask who runs it; a 403 is a right that the account lacks"
	default:
		f.Value = strings.TrimSpace(fmt.Sprintf("status %d in %d ms %s", pong.Status, pong.Took.Milliseconds(), pong.Version))
	}
	found := []finding{f}
	if !pong.Date.IsZero() {
		if clock := clockFinding(f.Check, f.Subject, time.Until(pong.Date), "the upstream"); clock.Status != findingOK {
			found = append(found, clock)
		}
	}
	return found
}
