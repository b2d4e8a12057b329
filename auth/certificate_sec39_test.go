package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

const shopID = "spiffe://corp.example/ns/a"

// certified are callers that certificates stand for. The first has a key, too.
func certified() []Caller {
	return []Caller{
		{Name: "shop", Certificates: []CertificateName{{URI: shopID}}, Keys: []Key{{ID: "shop-1", Digest: DigestOf("key-shop")}}},
		{Name: "reports", Certificates: []CertificateName{{DNS: "Reports.corp.example"}}},
	}
}

// mtlsServer serves callers over TLS as the gateway does: certificates are asked
// for, not demanded, and verified if given. It answers with the caller.
func mtlsServer(t *testing.T, o AuthenticateOptions, trusted *x509.CertPool) *httptest.Server {
	t.Helper()
	o.Refuse = func(w http.ResponseWriter, r *http.Request, err error) {
		problem, _ := errors.AsType[*exchange.Problem](err)
		maps.Copy(w.Header(), problem.Header)
		ex := exchange.From(r.Context())
		w.Header().Set("X-Refused", ex.Refused+" "+ex.Claimed)
		w.WriteHeader(problem.Status())
	}
	stage := Authenticate(o)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := exchange.From(r.Context()).Caller
		_, _ = io.WriteString(w, caller.Name+" by "+caller.Proof+" "+caller.KeyID)
	}))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stage.ServeHTTP(w, r.WithContext(exchange.With(r.Context(), &exchange.Exchange{})))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: trusted, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// call asks with a certificate, none for nil, on a connection of its own.
func call(t *testing.T, server *httptest.Server, cert *tls.Certificate, key string) (status int, text string, header http.Header) {
	t.Helper()
	client := dialWith(server, cert)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("X-Api-Key", key)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func dialWith(server *httptest.Server, cert *tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	config := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	if cert != nil { // whatever the server says that it wants
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}, Timeout: time.Minute}
}

type sec39Row struct {
	name string
	cert tls.Certificate
	want string // "" = the handshake fails, or 401
}

// TestSEC39OnlyTheMappedNamePasses goes through every certificate that may not
// pass, alone and beside a good key: it never falls through to that key.
func TestSEC39OnlyTheMappedNamePasses(t *testing.T) {
	ca := newAuthority(t, "clients")
	server := mtlsServer(t, AuthenticateOptions{Callers: certified(), ClientRoots: believed(ca)}, ca.pool())
	for _, row := range append(sec39Names(ca), sec39Chains(t, ca)...) {
		t.Run(row.name, func(t *testing.T) {
			status, text, header := call(t, server, &row.cert, "")
			t.Logf("%d %s %v", status, text, header["X-Refused"])
			if row.want != "" {
				if text != row.want {
					t.Errorf("answered %d %q, want %q", status, text, row.want)
				}
				return
			}
			if status != 0 && status != http.StatusUnauthorized {
				t.Errorf("answered %d %q", status, text)
			}
			if status, text, _ := call(t, server, &row.cert, "key-shop"); status != 0 && status != http.StatusUnauthorized {
				t.Errorf("answered %d %q with a good key beside it", status, text)
			}
		})
	}
	if status, text, _ := call(t, server, nil, ""); status != http.StatusUnauthorized {
		t.Errorf("without a certificate: %d %q", status, text)
	}
	if _, text, _ := call(t, server, nil, "key-shop"); text != "shop by key shop-1" {
		t.Errorf("without a certificate, by key: %q", text)
	}
}

func sec39Names(ca *authority) []sec39Row {
	uri := func(all ...string) tls.Certificate { return ca.client(leaf{uris: all}) }
	return []sec39Row{
		{"the id", uri(shopID), "shop by certificate " + shopID},
		{"the DNS name, in another case", ca.client(leaf{dns: []string{"reports.CORP.example"}}), "reports by certificate Reports.corp.example"},
		{"an id of nobody beside the DNS name", ca.client(leaf{uris: []string{"spiffe://corp.example/x"}, dns: []string{"reports.corp.example"}}), "reports by certificate Reports.corp.example"},
		{"the id and a DNS name of another caller", ca.client(leaf{uris: []string{shopID}, dns: []string{"reports.corp.example"}}), ""},
		{"another trust domain", uri("spiffe://other.example/ns/a"), ""},
		{"two URIs", uri(shopID, "spiffe://corp.example/ns/b"), ""},
		{"two URIs, the first of nobody", uri("spiffe://corp.example/ns/b", shopID), ""},
		{"the id twice", uri(shopID, shopID), ""},
		{"the id as CN and DNS name", ca.client(leaf{dns: []string{"corp.example"}, edit: func(c *x509.Certificate) { c.Subject.CommonName = shopID }}), ""},
		{"the id as DNS name", ca.client(leaf{dns: []string{shopID}}), ""},
		{"no name at all", ca.client(leaf{edit: func(c *x509.Certificate) { c.Subject.CommonName = shopID }}), ""},
		{"the DNS name as CN", ca.client(leaf{edit: func(c *x509.Certificate) { c.Subject.CommonName = "reports.corp.example" }}), ""},
		{"a query", uri(shopID + "?x=1"), ""},
		{"an empty query", uri(shopID + "?"), ""},
		{"a fragment", uri(shopID + "#x"), ""},
		{"an empty fragment", uri(shopID + "#"), ""},
		{"a port", uri("spiffe://corp.example:443/ns/a"), ""},
		{"a user", uri("spiffe://user@corp.example/ns/a"), ""},
		{"upper case in the trust domain", uri("spiffe://Corp.example/ns/a"), ""},
		{"upper case in the scheme", uri("SPIFFE://corp.example/ns/a"), ""},
		{"upper case in the path", uri("spiffe://corp.example/ns/A"), ""},
		{"%2f", uri("spiffe://corp.example/ns%2fa"), ""},
		{"%61", uri("spiffe://corp.example/ns/%61"), ""},
		{"NUL", uri(shopID + "\x00"), ""},
		{"NUL before more", uri(shopID + "\x00.evil.example"), ""},
		{"a trailing slash", uri(shopID + "/"), ""},
		{"two slashes", uri("spiffe://corp.example//ns/a"), ""},
		{"a dot segment", uri("spiffe://corp.example/ns/./a"), ""},
		{"a longer name", uri("spiffe://corp.example/ns/ab"), ""},
		{"a name below", uri(shopID + "/b"), ""},
		{"a shorter name", uri("spiffe://corp.example/ns"), ""},
		{"a trailing space", uri(shopID + " "), ""},
		{"NUL in the DNS name", ca.client(leaf{dns: []string{"reports.corp.example\x00.evil.example"}}), ""},
		{"a wildcard", ca.client(leaf{dns: []string{"*.corp.example"}}), ""},
		{"a trailing dot", ca.client(leaf{dns: []string{"reports.corp.example."}}), ""},
	}
}

func sec39Chains(t *testing.T, ca *authority) []sec39Row {
	t.Helper()
	edited := func(edit func(*x509.Certificate)) tls.Certificate {
		return ca.client(leaf{uris: []string{shopID}, edit: edit})
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	deep, two := ca, ca.issue(t, "team").issue(t, "cluster")
	for range 9 {
		deep = deep.issue(t, "below")
	}
	mine := leaf{uris: []string{shopID}}
	selfSigned := newAuthority(t, "self")
	return []sec39Row{
		{"two authorities between", two.client(mine), "shop by certificate " + shopID},
		{"RSA 2048", ca.client(leaf{uris: mine.uris, key: good}), "shop by certificate " + shopID},
		{"self-signed", ownCertificate(t), ""},
		{"another authority", selfSigned.client(mine), ""},
		{"expired", edited(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), ""},
		{"not yet valid", edited(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour / 2) }), ""},
		{"CA:TRUE", edited(func(c *x509.Certificate) { c.IsCA = true }), ""},
		{"may sign certificates", edited(func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }), ""},
		{"no extended key usage", edited(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), ""},
		{"for servers", edited(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), ""},
		{"for anything", edited(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), ""},
		{"a chain of ten", deep.client(mine), ""},
		{"RSA 1024", ca.client(leaf{uris: mine.uris, key: weak}), ""},
		{"RSA 16384", ca.client(leaf{uris: mine.uris, key: hugeKey{}}), ""},
		{"signed with a leaf", signedByLeaf(t, ca), ""},
	}
}

// hugeKey stands for a key that would take minutes to make. Its signatures are
// none, but the server has to give up before it looks at one.
type hugeKey struct{}

// Public implements [crypto.Signer].
func (hugeKey) Public() crypto.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), 16383)
	return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}
}

// Sign implements [crypto.Signer].
func (hugeKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, 16384/8), nil
}

func ownCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	template.ExtraExtensions = append(template.ExtraExtensions, alternativeNames(t, []string{shopID}, nil))
	return tls.Certificate{Certificate: [][]byte{create(t, template, template, key.Public(), key).Raw}, PrivateKey: key}
}

// signedByLeaf is a certificate that a client has issued with its own.
func signedByLeaf(t *testing.T, ca *authority) tls.Certificate {
	t.Helper()
	below := ca.client(leaf{uris: []string{"spiffe://corp.example/ns/evil"}})
	cert, err := x509.ParseCertificate(below.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	evil := &authority{t: t, cert: cert, key: below.PrivateKey.(crypto.Signer), up: ca}
	return evil.client(leaf{uris: []string{shopID}})
}

// An open connection outlives neither its certificate nor the trust in its root;
// the answer ends it, so that the caller can come back with a better one.
func TestSEC39OpenConnections(t *testing.T) {
	ca, other := newAuthority(t, "clients"), newAuthority(t, "next")
	now, trusted := time.Now(), believed(ca)
	o := AuthenticateOptions{
		Callers: certified(), Now: func() time.Time { return now },
		ClientRoots: func() []*x509.Certificate { return trusted() },
	}
	cert := ca.client(leaf{uris: []string{shopID}})
	for name, change := range map[string]func(){
		"the certificate has ended": func() { now = time.Now().Add(2 * time.Hour) },
		"the root was replaced":     func() { trusted = believed(other) },
		"no root is left":           func() { trusted = believed() },
	} {
		t.Run(name, func(t *testing.T) {
			now, trusted = time.Now(), believed(ca)
			server := mtlsServer(t, o, ca.pool())
			client := dialWith(server, &cert)
			defer client.CloseIdleConnections()
			if resp := get(t, client, server.URL); resp.StatusCode != http.StatusOK {
				t.Fatalf("at first: %s", resp.Status)
			}
			change()
			resp := get(t, client, server.URL)
			if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(resp.Header.Get("X-Refused"), shopID) {
				t.Errorf("%s, refused: %q", resp.Status, resp.Header.Get("X-Refused"))
			}
			now, trusted = time.Now(), believed(ca)
			if resp := get(t, client, server.URL); resp.StatusCode != http.StatusOK {
				t.Errorf("on another connection: %s", resp.Status)
			}
		})
	}
}

// A connection whose certificate ends soon is asked to end before it does.
func TestCertificateRenewedInTime(t *testing.T) {
	ca := newAuthority(t, "clients")
	now := time.Now()
	server := mtlsServer(t, AuthenticateOptions{Callers: certified(), ClientRoots: believed(ca), Now: func() time.Time { return now }}, ca.pool())
	cert := ca.client(leaf{uris: []string{shopID}})
	issued := 0
	client := dialWith(server, &cert)
	defer client.CloseIdleConnections()
	client.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		issued++
		return &cert, nil
	}
	for range 3 {
		if resp := get(t, client, server.URL); resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
	}
	if issued != 1 {
		t.Fatalf("%d connections for three requests", issued)
	}
	now = now.Add(time.Hour - renewAhead/2)
	for range 2 {
		if resp := get(t, client, server.URL); resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
	}
	if issued != 2 {
		t.Errorf("%d connections, want one more as the certificate ends soon", issued)
	}
}

func get(t *testing.T, client *http.Client, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp
}

// What the handshake would let through if it did not look: the stage looks.
func TestSEC39WithoutTheHandshakesHelp(t *testing.T) {
	ca := newAuthority(t, "clients")
	method := newCertificates(certified(), believed(ca))
	parse := func(c tls.Certificate) *x509.Certificate {
		cert, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	good, huge := parse(ca.client(leaf{uris: []string{shopID}})), parse(ca.client(leaf{uris: []string{shopID}, key: hugeKey{}}))
	for name, c := range map[string]struct {
		leaf   *x509.Certificate
		chains [][]*x509.Certificate
		reason Reason
	}{
		"verified":          {good, [][]*x509.Certificate{{good, ca.cert}}, ""},
		"not verified":      {good, nil, ReasonUnknown},
		"RSA 16384":         {huge, [][]*x509.Certificate{{huge, ca.cert}}, ReasonUnknown},
		"its own root":      {good, [][]*x509.Certificate{{good}}, ReasonUnknown},
		"one chain is good": {good, [][]*x509.Certificate{{good, newAuthority(t, "old").cert}, {good, ca.cert}}, ""},
	} {
		state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c.leaf}, VerifiedChains: c.chains}
		if _, reason := method.find(context.Background(), presented{connection: state}, time.Now()); reason != c.reason {
			t.Errorf("%s: %q, want %q", name, reason, c.reason)
		}
	}
}

// A certificate is judged anew with each request of its connection.
func BenchmarkCertificate(b *testing.B) {
	roots := make([]*authority, 10)
	for i := range roots {
		roots[i] = newAuthority(b, "clients")
	}
	last := roots[len(roots)-1]
	below := last.issue(b, "team")
	cert, err := x509.ParseCertificate(below.client(leaf{uris: []string{shopID}, dns: []string{"a.corp.example", "b.corp.example", "c.corp.example"}}).Certificate[0])
	if err != nil {
		b.Fatal(err)
	}
	known := newCertificates(certified(), believed(roots...))
	p := presented{connection: &tls.ConnectionState{
		PeerCertificates: []*x509.Certificate{cert, below.cert}, VerifiedChains: [][]*x509.Certificate{{cert, below.cert, last.cert}},
	}}
	ctx, now := exchange.With(context.Background(), &exchange.Exchange{}), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, reason := known.find(ctx, p, now); reason != "" {
			b.Fatal(reason)
		}
	}
}
