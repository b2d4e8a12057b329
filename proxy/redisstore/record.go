package redisstore

import (
	"encoding/json"
	"fmt"
	"time"

	"iqgateway/internal/secret"
	"iqgateway/proxy"
)

// record is a session as it is sealed. Times are Redis' own, in microseconds.
type record struct {
	Format   int            `json:"format"`
	Cookies  []recordCookie `json:"cookies,omitempty"`
	Endpoint *recordEnd     `json:"endpoint,omitempty"` // nil = nobody has asked
}

// format is increased when older replicas could misread a record.
const format = 1

type recordCookie struct {
	Host    string `json:"host"`
	Name    string `json:"name"`
	Value   string `json:"value"`
	Path    string `json:"path"`
	Secure  bool   `json:"secure,omitempty"`
	Expires int64  `json:"expires,omitempty"` // 0 = with the session
}

type recordEnd struct {
	Origin string `json:"origin,omitempty"`
	Asked  int64  `json:"asked"`
}

func encode(s proxy.SharedSession, now int64) ([]byte, error) {
	out := record{Format: format}
	for _, c := range s.Cookies {
		k := recordCookie{Host: c.Host, Name: c.Name, Value: c.Value.Reveal(), Path: c.Path, Secure: c.Secure}
		if c.Left > 0 {
			k.Expires = now + max(1, c.Left.Microseconds())
		}
		out.Cookies = append(out.Cookies, k)
	}
	if e := s.Endpoint; e.Known {
		out.Endpoint = &recordEnd{Origin: e.Origin, Asked: now - e.Age.Microseconds()}
	}
	plain, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("proxy/redisstore: encoding a session (%T)", err) // its text could quote a cookie
	}
	return plain, nil
}

func decode(plain []byte, now int64) (proxy.SharedSession, error) {
	var in record
	if err := json.Unmarshal(plain, &in); err != nil {
		return proxy.SharedSession{}, fmt.Errorf("proxy/redisstore: no record (%T)", err)
	}
	if in.Format != format {
		return proxy.SharedSession{}, fmt.Errorf("proxy/redisstore: a record of format %d", in.Format)
	}
	var s proxy.SharedSession
	for _, k := range in.Cookies {
		c := proxy.SharedCookie{Host: k.Host, Name: k.Name, Value: secret.New(k.Value), Path: k.Path, Secure: k.Secure}
		if k.Expires != 0 {
			if k.Expires <= now {
				continue
			}
			c.Left = span(k.Expires - now)
		}
		s.Cookies = append(s.Cookies, c)
	}
	if e := in.Endpoint; e != nil {
		s.Endpoint = proxy.SharedEndpoint{Known: true, Origin: e.Origin, Age: span(max(0, now-e.Asked))}
	}
	return s, nil
}

// span keeps microseconds in the range of a duration; a negative number is the
// overflow of a greater one.
func span(micros int64) time.Duration {
	const year = 365 * 24 * time.Hour
	if micros < 0 || micros > year.Microseconds() {
		return year
	}
	return time.Duration(micros) * time.Microsecond
}
