package acme_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/internal/redistest"
	"iqgateway/test/rig"
)

// distrust has a replica verify the CA with another root than it has.
func (r *replica) distrust(t *testing.T) {
	t.Helper()
	other, err := rig.NewAuthority()
	rig.Must(t, err)
	rig.Must(t, os.WriteFile(r.root, other.PEM, 0o600))
}

func (r *replica) wantFailure(t *testing.T) {
	t.Helper()
	rig.Must(t, rig.Await(t.Context(), patience, "the first try has failed", func() bool {
		return strings.Contains(r.Log.String(), "no certificate from the CA")
	}))
}

// A replica that cannot reach the CA keeps no other from it, and gets what the
// other has got.
func TestACMEReplicaWithoutTheCA(t *testing.T) {
	t.Parallel()
	s := newSite(t, 0, redistest.Single(t).Address())
	s.ca.Release()
	a, b := s.replica(t, true), s.replica(t, true)
	a.distrust(t)
	s.lead(b)
	s.start(t, a)
	a.wantFailure(t)
	s.start(t, b)
	serial := s.certified(t, b)
	if other := s.certified(t, a); other != serial {
		t.Errorf("the replicas serve %s and %s", serial, other)
	}
	s.wantOrders(t, 1)
}

// The root of the CA's own endpoint is followed: an order that has failed for it is
// tried again at once.
func TestACMERootIsFollowed(t *testing.T) {
	t.Parallel()
	s := newSite(t, 0, "")
	s.ca.Release()
	r := s.replica(t, true)
	r.distrust(t)
	s.lead(r)
	s.start(t, r)
	r.wantFailure(t)
	rig.Must(t, os.WriteFile(r.root, s.ca.Endpoint, 0o600))
	s.certified(t, r)
	wantReady(t, r)
}

// A key and a certificate that do not fit together, as a replica leaves them that
// is killed while it stores them, are replaced.
func TestACMETornCertificate(t *testing.T) {
	t.Parallel()
	s := newSite(t, 0, "")
	s.ca.Release()
	r := s.replica(t, true)
	s.lead(r)
	s.start(t, r)
	serial := s.certified(t, r)
	rig.Must(t, r.Stop())
	keys, err := filepath.Glob(filepath.Join(r.data, "acme", "certificates", "*", "*", "*.key"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d keys are stored: %v", len(keys), err)
	}
	other, err := rig.NewAuthority()
	rig.Must(t, err)
	pair, err := other.ECDSA(domain)
	rig.Must(t, err)
	rig.Must(t, os.WriteFile(keys[0], pair.Key, 0o600))
	rig.Must(t, r.Start(t.Context()))
	s.certified(t, r, serial)
	s.wantOrders(t, 2)
}

// A certificate is renewed when the CA suggests it (RFC 9773), long before its
// time, and the order names what it replaces.
func TestACMERenewalThatTheCASuggests(t *testing.T) {
	t.Parallel()
	s := newSite(t, 0, "")
	s.ca.Suggest()
	s.ca.Release()
	r := s.replica(t, true)
	s.lead(r)
	s.start(t, r)
	serial := s.certified(t, r)
	s.certified(t, r, serial)
	s.wantOrders(t, 2)
	if !s.ca.Replaced() {
		t.Error("no order named what it replaces")
	}
}
