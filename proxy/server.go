package proxy

import (
	"crypto/tls"
	"log"
	"log/slog"
	"net/http"
	"time"
)

// ServerOptions sets the limits of a listener that callers reach.
type ServerOptions struct {
	// Handler is the pipeline. Required.
	Handler http.Handler
	// TLS is the configuration to terminate with; nil = plain HTTP/1 (the
	// main program decides where that is allowed).
	TLS *tls.Config

	// ReadHeaderTimeout also bounds the TLS handshake. Default 5 s.
	ReadHeaderTimeout time.Duration
	// IdleTimeout closes connections without a request. Default 120 s.
	IdleTimeout time.Duration
	// WriteIdleTimeout closes an HTTP/2 connection that takes no bytes at
	// all; single answers are guarded by [Sanitize]. Default 30 s.
	WriteIdleTimeout time.Duration
	// MaxURI and MaxHeader in bytes, as in [SanitizeOptions].
	MaxURI, MaxHeader int
	// MaxStreams is the number of concurrent requests of one HTTP/2
	// connection. Default 100.
	MaxStreams int

	// Logger receives what net/http has to say about connections. Required.
	Logger *slog.Logger
}

// maxFrame is the least that a server may allow (RFC 9113 section 4.2). Room for
// a frame is made when its length has come, and kept for the life of the
// connection: by the default of net/http 9 bytes of a stranger cost 1 MiB.
const maxFrame = 16 << 10

// NewServer returns a server for the data port that is not started: serve it
// with ServeTLS(listener, "", "") or, without TLS, with Serve. It has no
// ReadTimeout and no WriteTimeout, which would cut long exports; progress is
// watched per read and write by [Sanitize]. An HTTP/2 connection that resets more
// requests than it waits for is ended.
func NewServer(o ServerOptions) *http.Server {
	setDefault(&o.ReadHeaderTimeout, 5*time.Second)
	setDefault(&o.IdleTimeout, 120*time.Second)
	setDefault(&o.WriteIdleTimeout, 30*time.Second)
	setDefault(&o.MaxURI, 16<<10)
	setDefault(&o.MaxHeader, 32<<10)
	setDefault(&o.MaxStreams, 100)

	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(o.TLS != nil)
	server := &http.Server{
		Handler:           o.Handler,
		TLSConfig:         o.TLS,
		Protocols:         protocols,
		ReadHeaderTimeout: o.ReadHeaderTimeout,
		IdleTimeout:       o.IdleTimeout,
		// Beyond this net/http answers 431 whatever was too long: leave
		// room, so that a long target gets its 414 from Sanitize.
		MaxHeaderBytes: o.MaxHeader + 4*o.MaxURI,
		// "OPTIONS *" is a request like any other: no answer without a key.
		DisableGeneralOptionsHandler: true,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: o.MaxStreams,
			MaxReadFrameSize:     maxFrame,
			SendPingTimeout:      o.IdleTimeout,
			WriteByteTimeout:     o.WriteIdleTimeout,
		},
		ErrorLog: log.New(serverLog{o.Logger}, "", 0),
	}
	watchResets(server)
	return server
}
