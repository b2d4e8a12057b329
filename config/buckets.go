package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// The two limits of every upstream service.
const (
	PolicyAuthenticated = "authenticated"
	PolicyAnonymous     = "anonymous"
)

// Bucket is one upstream quota and who draws on it.
type Bucket struct {
	Service *EffectiveService
	Policy  string // PolicyAuthenticated or PolicyAnonymous
	// Counted is what the upstream counts by. Danger: it may hold a client id,
	// so it is never shown; Of is for that.
	Counted string
	// Of tells the buckets of one service and policy apart: a quota group, or
	// the first of the credentials. It is "" where there is only one, beside
	// those of callers that bring their own token.
	Of string
	// Credentials whose requests it counts, sorted. The tokens that a caller
	// brings itself are named by [PassthroughOf].
	Credentials []string
	// Shares of the callers that may draw on it: those of the service, else the
	// caller's own.
	Shares map[string]Share
}

// Buckets returns the quotas of all services that some caller may use, by
// environment, service, policy and Of. Services of kind none have none.
func (c *Config) Buckets() []Bucket {
	var all []Bucket
	for _, environment := range c.EnvironmentNames() {
		for _, s := range c.environments[environment].Services() {
			if s.Upstream != nil && s.Quota.Kind != none {
				all = append(all, c.bucketsOf(s)...)
			}
		}
	}
	return all
}

func (c *Config) bucketsOf(s *EffectiveService) []Bucket {
	byCount := map[string]*Bucket{}
	for _, caller := range sortedKeys(c.Callers) {
		for _, a := range c.Callers[caller].Access {
			if c.accessEnvironment(a) != s.Environment || !a.covers(s) {
				continue
			}
			credential := a.Credential
			if credential == passthrough {
				credential = PassthroughOf(caller)
			}
			for _, policy := range s.policies() {
				c.join(byCount, s, policy, caller, credential)
			}
		}
	}
	buckets := make([]Bucket, 0, len(byCount))
	for _, b := range byCount {
		slices.Sort(b.Credentials)
		b.Of = c.distinction(b)
		buckets = append(buckets, *b)
	}
	slices.SortFunc(buckets, func(a, b Bucket) int {
		return cmp.Or(strings.Compare(a.Policy, b.Policy), strings.Compare(a.Of, b.Of))
	})
	single := map[string]int{}
	for _, b := range buckets {
		if !b.own() {
			single[b.Policy]++
		}
	}
	for i := range buckets {
		if !buckets[i].own() && single[buckets[i].Policy] == 1 {
			buckets[i].Of = ""
		}
	}
	return buckets
}

// join adds a caller with one of its credentials to the bucket that counts it.
func (c *Config) join(buckets map[string]*Bucket, s *EffectiveService, policy, caller, credential string) {
	counted := egress // the upstream does not see who an anonymous request is of
	if policy == PolicyAuthenticated {
		counted = c.countedBy(s, credential)
	}
	b := buckets[policy+" "+counted]
	if b == nil {
		b = &Bucket{Service: s, Policy: policy, Counted: counted, Shares: maps.Clone(s.Quota.Shares)}
		if b.Shares == nil || b.own() { // nobody else draws on a caller's own
			b.Shares = map[string]Share{}
		}
		buckets[policy+" "+counted] = b
	}
	if !slices.Contains(b.Credentials, credential) {
		b.Credentials = append(b.Credentials, credential)
	}
	if _, known := b.Shares[caller]; known {
		return
	}
	b.Shares[caller] = c.Callers[caller].Share
	if b.own() {
		b.Shares[caller] = Share{}
	}
}

// PassthroughOf names the tokens that a caller brings itself where credentials
// are named. No credential has a colon in its name.
func PassthroughOf(caller string) string { return passthrough + ":" + caller }

// own reports whether the bucket counts what one caller does with its own token.
func (b *Bucket) own() bool { return strings.HasPrefix(b.Counted, passthrough+":") }

func (c *Config) distinction(b *Bucket) string {
	if group := c.Credentials[b.Credentials[0]].QuotaGroup; group != "" && b.Counted != egress {
		return group
	}
	return b.Credentials[0]
}

// policies are the limits that requests to the service can fall under.
func (s *EffectiveService) policies() []string {
	switch {
	case s.Authentication != bearer:
		return []string{PolicyAnonymous}
	case len(s.Anonymous) > 0:
		return []string{PolicyAuthenticated, PolicyAnonymous}
	default:
		return []string{PolicyAuthenticated}
	}
}

const (
	egress = "egress"
	bearer = "bearer"
)

// countedBy names what the upstream counts a credential by. The text of a
// client id may be part of it, so it is never printed.
func (c *Config) countedBy(s *EffectiveService, credential string) string {
	cred, known := c.Credentials[credential]
	switch {
	case s.Quota.Scope == egress:
		return egress
	case !known: // the client of a caller's own token is not ours to know
		return credential
	case cred.QuotaGroup != "":
		return "group " + cred.QuotaGroup
	case s.Quota.Scope == "credential":
		return "credential " + credential
	default:
		return "client " + cred.ClientID.Reference + " " + cred.ClientID.Reveal()
	}
}
