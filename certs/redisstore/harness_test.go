package redisstore_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"iqgateway/certs/redisstore"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
)

// certStore is embedded under this name: Store is a method of it.
type certStore = redisstore.Store

// replica is one process of a fleet: a connection and a store of its own.
type replica struct {
	*certStore
	conn *redisconn.Conn
	ring *redisconn.Keyring
	seen *redistest.Tally
}

// setup is what tests vary of a replica.
type setup struct {
	timeout time.Duration // 0 = generous: the machine may be busy
	lockTTL time.Duration
	now     func() time.Time
	key     byte // that seals; 0 = 'k'
}

func newReplica(t testing.TB, topology redistest.Topology, o setup) *replica {
	t.Helper()
	if o.key == 0 {
		o.key = 'k'
	}
	ring, err := redisconn.NewKeyring([]secret.Text{redistest.Key(o.key)})
	if err != nil {
		t.Fatal(err)
	}
	seen := &redistest.Tally{}
	conn := redistest.Connect(t, topology, redisconn.Options{
		Timeout: o.timeout, Keys: ring,
		Hooks: redisconn.Hooks{Rejected: func(kind string, reason redisconn.RejectReason) { seen.Add(kind, string(reason)) }},
	})
	store, err := redisstore.New(conn, redisstore.Options{
		LockTTL: o.lockTTL, Now: o.now,
		Hooks: redisstore.Hooks{Discarded: func(field, reason string) { seen.Add(field, reason) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{certStore: store, conn: conn, ring: ring, seen: seen}
	t.Cleanup(func() { r.Close(context.WithoutCancel(t.Context())) })
	return r
}

func (r *replica) put(t testing.TB, key, value string) {
	t.Helper()
	if err := r.Store(t.Context(), key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func (r *replica) wantValue(t testing.TB, key, want string) {
	t.Helper()
	if got, err := r.Load(t.Context(), key); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", key, got, err, want)
	}
}

// certificate returns a certificate that ends at a time, PEM.
func certificate(t testing.TB, end time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
