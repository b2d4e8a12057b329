package iqsim

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxSessions bounds the sessions kept; beyond it all are forgotten, as when
// the provider recycles its application pool.
const maxSessions = 10_000

// dcCompanyID is the company that all simulated data belongs to.
const dcCompanyID = 14146

// dcSessions are the sessions that cookies stand for.
type dcSessions struct {
	mu    sync.Mutex
	known map[string]dcSession
}

type dcSession struct {
	account string
	used    time.Time
}

// touch marks the session of that id as used at now and tells whether it was
// valid: known, the account's own, and used within idle.
func (s *dcSessions) touch(id, account string, now time.Time, idle time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := s.known[id]
	if !ok || session.account != account {
		return false
	}
	if now.Sub(session.used) > idle {
		delete(s.known, id)
		return false
	}
	s.known[id] = dcSession{account, now}
	return true
}

// open starts a session for account and returns its id.
func (s *dcSessions) open(account string, now time.Time) string {
	id := strings.ToLower(rand.Text())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) >= maxSessions {
		s.known = map[string]dcSession{}
	}
	s.known[id] = dcSession{account, now}
	return id
}

// session finds the caller's session, or opens one and sets its cookie. A
// token without a session works as well, only slower.
func (d *dataConnect) session(w http.ResponseWriter, r *http.Request, o DataConnectOptions) error {
	account, now := callFrom(r.Context()).Account, d.now()
	for _, cookie := range r.CookiesNamed(o.CookieName) {
		if d.sessions.touch(cookie.Value, account, now, time.Duration(o.SessionIdle)) {
			d.counters.sessionHits.Add(1)
			return nil
		}
	}
	d.counters.sessionsOpened.Add(1)
	http.SetCookie(w, &http.Cookie{
		Name: o.CookieName, Value: d.sessions.open(account, now), Path: "/", HttpOnly: true,
	})
	return dcWait(r.Context(), time.Duration(o.SessionCost))
}

// sessionSource answers /session, whose body holds the caller's token and the
// account's basic token.
func sessionSource(q dcRequest) (dcTable, error) {
	columns := []dcColumn{
		{"access_token", "varchar", 128},
		{"isValid", "bit", 0},
		{"ParentEntityId", "int", 0},
		{"RQEmployeeId", "int", 0},
		{"Username", "varchar", 255},
		{"basic_token", "varchar", 128},
	}
	digest := sha256.Sum256([]byte("basic:" + q.call.Account))
	row := []dcCell{
		cellText(q.call.Token),
		cellBool(true),
		cellInt(dcCompanyID),
		cellInt(1000 + int(binary.BigEndian.Uint16(digest[:]))%9000),
		cellText(q.call.Account),
		cellText(base64.RawURLEncoding.EncodeToString(digest[:])),
	}
	if q.options.PreferredEndpoint != "" {
		columns = append(columns, dcColumn{"PreferredEndpoint", "varchar", 255})
		row = append(row, cellText(q.options.PreferredEndpoint))
	}
	t := smallTable("session", columns, row)
	t.object = true
	return t, nil
}
