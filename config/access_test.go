package config

import (
	"fmt"
	"testing"
)

func TestWritable(t *testing.T) {
	const document = `version: 1
environments: {sim: {url: "http://127.0.0.1:1/{service}"}}
credentials:
  retail: {environment: sim, client_id: a, client_secret: "${env:S}", username: u, password: "${env:S}"}
services: {members: {aliases: [people], host: members}, private: {sensitive: true, host: private}}
callers:
  reader:
    keys: [{id: r-1, sha256: 1f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]
    access: [{credential: retail, services: {"*": read, private: read}}]
  other:
    keys: [{id: o-1, sha256: 2f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]
    access: [{credential: retail, services: %s}]
`
	tests := map[string]struct {
		grants  string
		service string
		want    bool
	}{
		"read":                             {`{members: read}`, "members", false},
		"write":                            {`{members: write}`, "members", true},
		"write by an alias":                {`{people: write}`, "members", true},
		"write to another":                 {`{private: write}`, "members", false},
		"write to all":                     {`{"*": write}`, "members", true},
		"write to all but this":            {`{"*": write, members: read}`, "members", false},
		"all leaves out what is sensitive": {`{"*": write}`, "private", false},
		"a writing method":                 {`{members: {methods: [GET, DELETE]}}`, "members", true},
		"reading methods":                  {`{members: {methods: [GET, HEAD, OPTIONS]}}`, "members", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, _, err := Load(LoadOptions{Path: "gateway.yaml", Data: fmt.Appendf(nil, document, tt.grants), Environ: []string{"S=x"}})
			if err != nil {
				t.Fatal(err)
			}
			env, _ := c.Environment("sim")
			s, _ := env.Service(tt.service)
			if got := c.Writable(s); got != tt.want {
				t.Errorf("writable %t", got)
			}
			other, _ := c.Environment("sandbox")
			if !c.Reached(s) { // the reader has all of them
				t.Error("not reached")
			}
			if s, _ := other.Service(tt.service); c.Writable(s) {
				t.Error("writable in an environment of which no caller has a credential")
			}
			if s, _ := other.Service(tt.service); c.Reached(s) || len(c.CredentialsOf(s)) != 0 {
				t.Error("reached in an environment of which no caller has a credential")
			}
			if got := c.CredentialsOf(s); len(got) != 1 || got[0] != "retail" {
				t.Errorf("credentials %v", got)
			}
		})
	}
}
