package redisconn

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/secret"
)

// Conn is the connection to one Redis installation, whatever its state. It is
// safe for concurrent use.
type Conn struct {
	options     Options
	nameKey     []byte
	credentials atomic.Pointer[credentials]
	sentinel    atomic.Pointer[secret.Text] // password of the sentinels

	// live is the client in use; nil while the server is away.
	live       atomic.Pointer[session]
	connecting chan struct{} // held by the one that looks for the server
	wake       chan struct{} // tells Run that the server was lost or is silent

	mu      sync.Mutex
	status  Status
	target  target
	retired []redis.UniversalClient // lost ones, for Run to close
	closed  bool
}

// Status is what a Conn knows of the server.
type Status struct {
	// Up means that calls are sent.
	Up bool
	// Mode is ModeAuto until the server has told.
	Mode Mode
	// Since is when Up became what it is.
	Since time.Time
	// LastError is why the server was not found or was lost; it stays until the
	// next time. It has no statement, value, password or server text.
	LastError string
}

// New returns a Conn that is away; it dials nothing and starts nothing.
//
// It turns off the client library's own log on stderr, for the whole process.
func New(o Options) (*Conn, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	redis.SetLogger(silent{})
	c := &Conn{
		options:    o,
		nameKey:    []byte(o.NameKey.Reveal()),
		connecting: make(chan struct{}, 1),
		wake:       make(chan struct{}, 1),
		status:     Status{Mode: o.Mode, Since: o.Now()},
	}
	if len(c.nameKey) == 0 {
		sum := sha256.Sum256([]byte("iqgateway name key " + o.KeyPrefix))
		c.nameKey = sum[:]
	}
	c.credentials.Store(&credentials{username: o.Username, password: o.Password})
	c.SetSentinelPassword(o.SentinelPassword)
	return c, nil
}

// SetCredentials changes what new connections log in with; those that are open
// stay. Call it when the password rotates, while Redis still accepts both.
func (c *Conn) SetCredentials(username string, password secret.Text) {
	c.credentials.Store(&credentials{username: username, password: password})
}

// SetSentinelPassword changes what the sentinels are asked with from the next
// time on that the server is looked for: a server that is in use stays.
func (c *Conn) SetSentinelPassword(password secret.Text) { c.sentinel.Store(&password) }

// Status reports what is known now.
func (c *Conn) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Close ends all connections; calls in flight fail, later ones give ErrAway.
// End Run first.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.closed = true
	if s := c.live.Swap(nil); s != nil {
		c.retired = append(c.retired, s.client)
		c.status.Up, c.status.Since = false, c.options.Now()
	}
	c.mu.Unlock()
	return c.closeRetired()
}

func (c *Conn) closeRetired() error {
	c.mu.Lock()
	retired := c.retired
	c.retired = nil
	c.mu.Unlock()
	var problems []error
	for _, client := range retired {
		problems = append(problems, reduce(client.Close()))
	}
	return errors.Join(problems...)
}

// adopt makes a session whose server has just answered the one in use.
func (c *Conn) adopt(s *session, t target) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		_ = s.client.Close()
		return ErrAway
	}
	c.target = t
	s.adopted = c.options.Now()
	c.status = Status{Up: true, Mode: t.mode, Since: s.adopted, LastError: c.status.LastError}
	status := c.status
	c.live.Store(s)
	c.mu.Unlock()
	c.changed(status)
	return nil
}

// lose stops using the session, once.
func (c *Conn) lose(s *session, reason error) {
	c.mu.Lock()
	if !c.live.CompareAndSwap(s, nil) {
		c.mu.Unlock()
		return
	}
	c.retired = append(c.retired, s.client)
	c.status.Up, c.status.Since, c.status.LastError = false, c.options.Now(), reason.Error()
	status := c.status
	c.mu.Unlock()
	c.changed(status)
	c.rouse() // after the hook: nobody finds the server before its loss was told
}

func (c *Conn) changed(s Status) {
	if hook := c.options.Hooks.StateChanged; hook != nil {
		hook(s)
	}
}

func (c *Conn) rouse() {
	select {
	case c.wake <- struct{}{}:
	default: // Run will look anyway
	}
}
