package roots_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/roots"
)

// authority returns the PEM of a new CA.
func authority(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return block("CERTIFICATE", der)
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestParse(t *testing.T) {
	one, two := authority(t), authority(t)
	both := string(one) + string(two)
	for name, tc := range map[string]struct {
		text, err string
		want      int
	}{
		"one":                         {text: string(one), want: 1},
		"several":                     {text: both, want: 2},
		"words between":               {text: "# ours\n" + string(one) + "\n# theirs\n" + string(two), want: 2},
		"a key is passed over":        {text: string(block("PRIVATE KEY", []byte("x"))) + string(one), want: 1},
		"nothing":                     {err: "holds no PEM certificate"},
		"no PEM":                      {text: "no PEM", err: "holds no PEM certificate"},
		"a key alone":                 {text: string(block("PRIVATE KEY", []byte("x"))), err: "holds no PEM certificate"},
		"the only one is cut":         {text: string(one[:len(one)/2]), err: "1 certificates begin in it, and 0 are whole"},
		"the last is cut":             {text: both[:len(both)-30], err: "2 certificates begin in it, and 1 are whole"},
		"the first is cut":            {text: string(one[:len(one)/2]) + "\n" + string(two), err: "2 certificates begin in it, and 1 are whole"},
		"the second cannot be parsed": {text: string(one) + string(block("CERTIFICATE", []byte("x"))), err: "certificate 2 of the file"},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := roots.Parse([]byte(tc.text))
			pool, errPool := roots.Pool([]byte(tc.text))
			if tc.err != "" {
				for _, err := range []error{err, errPool} {
					if err == nil || !strings.Contains(err.Error(), tc.err) {
						t.Errorf("%v, want %q", err, tc.err)
					}
				}
				return
			}
			if err != nil || errPool != nil || len(list) != tc.want {
				t.Fatalf("%d certificates, %v, %v", len(list), err, errPool)
			}
			for _, c := range list {
				if _, err := c.Verify(x509.VerifyOptions{Roots: pool}); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	good, empty := filepath.Join(dir, "good.crt"), filepath.Join(dir, "empty.crt")
	if err := errors.Join(os.WriteFile(good, authority(t), 0o600), os.WriteFile(empty, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if pool, err := roots.ReadFile(good); err != nil || pool.Equal(x509.NewCertPool()) {
		t.Errorf("%v", err)
	}
	if _, err := roots.ReadFile(empty); !errors.Is(err, roots.ErrNone) || !strings.Contains(err.Error(), empty) {
		t.Errorf("an empty file: %v", err)
	}
	if _, err := roots.ReadFile(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Whatever a file holds, no part of it that looks like a certificate is lost.
func FuzzParse(f *testing.F) {
	one := authority(f)
	f.Add(one)
	f.Add(append(bytes.Clone(one), one[:len(one)/2]...))
	f.Add([]byte("-----BEGIN CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := roots.Parse(data)
		if err == nil && len(list) != bytes.Count(data, []byte("-----BEGIN CERTIFICATE-----")) {
			t.Errorf("%d certificates of %q", len(list), data)
		}
	})
}
