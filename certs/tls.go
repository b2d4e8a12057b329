package certs

import "crypto/tls"

// GetCertificate chooses the certificate of a handshake, as
// [tls.Config.GetCertificate] does.
type GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// TLSConfig returns the server's TLS settings: TLS 1.2 and 1.3, AEAD cipher
// suites with forward secrecy only, HTTP/2 and HTTP/1.1.
func TLSConfig(get GetCertificate) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: get,
		NextProtos:     []string{"h2", "http/1.1"},
		// Go's default still offers CBC suites to TLS 1.2 clients. TLS 1.3 has
		// only AEAD suites and takes no list.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}
