package config

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"iqgateway/internal/secret"
)

const canary = "c4n4ry-0f-a-p4ssw0rd"

func TestReferences(t *testing.T) {
	s := sources{
		environ: map[string]string{"PLAIN": canary, "LF": canary + "\n", "SPACE": " x "},
		files: fakeFiles{
			"/crlf": "\ufeff" + canary + "\r\n", "/empty": "\n", "/two": "a\nb\n", "rel": canary,
			"/long": strings.Repeat("x", maxSecret+1),
		},
	}
	tests := []struct{ text, want, problem string }{
		{canary, canary, ""},
		{"${env:PLAIN}", canary, ""},
		{"${env:LF}", canary, ""},
		{"${env:SPACE}", " x ", ""}, // only line ends are trimmed
		{"${file:/crlf}", canary, ""},
		{"${file:rel}", canary, ""},
		{"0777", "0777", ""},
		{"null", "null", ""},
		{"pa$$word{}", "pa$$word{}", ""},
		{"${file:/empty}", "", "refers to file /empty, which is empty"},
		{"${file:/gone}", "", "refers to file /gone, which cannot be read: no such file"},
		{"${file:/long}", "", "refers to file /long, which cannot be read: too large"},
		{"${file:/two}", "", "refers to file /two, which is a secret of several lines"},
		{"${env:}", "", "broken reference"},
		{"${env:A", "", "broken reference"},
		{"${PLAIN}", "", "broken reference"},
		{"a${env:PLAIN}", "", "broken reference"},
		{"${env:${env:PLAIN}}", "", "broken reference"},
	}
	for _, tt := range tests {
		got, err := s.resolve(tt.text)
		switch {
		case tt.problem == "" && (err != nil || got.Reveal() != tt.want):
			t.Errorf("%q gives %q, error %v", tt.text, got.Reveal(), err)
		case tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)):
			t.Errorf("%q: error %v, want %s", tt.text, err, tt.problem)
		}
	}
}

func TestOfflineFollowsNoReference(t *testing.T) {
	s, err := sources{offline: true}.resolve("${env:GONE}")
	if err != nil || !s.IsZero() || !s.Set() || s.Reference != "${env:GONE}" {
		t.Errorf("offline: %v, set %v, reference %s", err, s.Set(), s.Reference)
	}
	if _, err := (sources{offline: true}).resolve("x${env:GONE}"); err == nil {
		t.Error("offline accepts a broken reference")
	}
}

func TestKeys(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb}, keyBytes)
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		b, err := decodeKey(enc.EncodeToString(raw))
		if err != nil || !bytes.Equal(b, raw) {
			t.Errorf("%v gives %v, %v", enc.EncodeToString(raw), b, err)
		}
	}
	for _, text := range []string{"", "x", base64.StdEncoding.EncodeToString(raw[1:]), strings.Repeat("!", 44), strings.Repeat("ab", keyBytes)} {
		if _, err := decodeKey(text); err == nil {
			t.Errorf("%q is taken for a key", text)
		}
	}
	if b := (Key{}).Bytes(); b != nil {
		t.Errorf("no key has bytes %v", b)
	}
}

// secretDocument has the canary in every place that may hold a secret.
func secretDocument() (string, []string) {
	key := base64.StdEncoding.EncodeToString([]byte(canary + "12345678901234567890")[:keyBytes])
	document := strings.NewReplacer("SECRET", canary, "KEY", key).Replace(`version: 1
x-note: SECRET
admin: {token: SECRET, read_token: "${env:CANARY}"}
redis: {addresses: ["a:1"], password: SECRET, sentinel_password: SECRET, encryption_keys: [KEY, "${env:CANARY_2}"], name_key: KEY}
environments:
  staging: {url: "https://{service}.example.com", proxy_url: "http://SECRET:SECRET@proxy:3128"}
credentials:
  retail: {environment: sandbox, client_id: SECRET, client_secret: SECRET, username: SECRET, password: SECRET}
auth: {token_endpoint: {enabled: true, signing_key: KEY, previous_keys: [KEY]}}
telemetry: {traces: {exporter: otlp, endpoint: "http://jaeger:4318"}}
`)
	return document, []string{"CANARY=" + canary, "CANARY_2=" + key}
}

// No secret leaves a Config but by Reveal: not by printing it as YAML, with
// its sources, with fmt or as JSON, and not in a warning.
func TestNothingPrintedHoldsASecret(t *testing.T) {
	document, environ := secretDocument()
	c, warnings, err := loadText(t, LoadOptions{Environ: environ}, document, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Admin.Token.Reveal() != canary || len(c.Redis.EncryptionKeys[1].Bytes()) != keyBytes {
		t.Fatal("the secrets did not arrive")
	}
	var printed bytes.Buffer
	for _, o := range []PrintOptions{{}, {Sources: true}} {
		if err := c.Print(&printed, o); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := json.Marshal(c.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&printed, "%v %+v %+v %#v %s\n%s", c.Credentials, c.Environments, c.Admin, c.Redis, encoded, warnings)
	for _, w := range warnings {
		printed.WriteString(w.String())
	}
	key := base64.StdEncoding.EncodeToString([]byte(canary))[:20]
	for line := range strings.Lines(printed.String()) {
		if strings.Contains(line, canary) || strings.Contains(line, key) {
			t.Errorf("a secret is printed: %s", line)
		}
	}
	if !strings.Contains(printed.String(), "${env:CANARY}") {
		t.Error("a reference is not printed")
	}
	if got := c.Environments["staging"].ProxyURL.URL.String(); got != "http://"+canary+":"+canary+"@proxy:3128" {
		t.Error("the proxy's password did not arrive")
	}
	if len(warnings) != 10 {
		t.Errorf("%d warnings, want one for each literal secret: %v", len(warnings), warnings)
	}
}

// A proxy's URL may hold a password, so it may stand elsewhere as a whole.
func TestProxyURL(t *testing.T) {
	const inTheOpen = "environments.production.proxy_url: a password stands in the open: write the whole URL as ${env:NAME} or ${file:/path}"
	tests := []struct {
		text, want, warning string
		offline             bool
	}{
		{text: "http://proxy:3128", want: "http://proxy:3128"},
		{text: "http://user@proxy:3128", want: "http://user@proxy:3128"},
		{text: "http://user:pw@proxy:3128", want: "http://user:pw@proxy:3128", warning: inTheOpen},
		{text: "http://user:pw@proxy:3128", want: "http://user:pw@proxy:3128", warning: inTheOpen, offline: true},
		{text: "${env:PROXY}", want: "http://user:pw@elsewhere:3128"},
		{text: "${file:/proxy}", want: "https://user:pw@file:3128"},
		{text: "${env:GONE}", offline: true},
	}
	for _, tt := range tests {
		o := LoadOptions{Environ: []string{"PROXY=http://user:pw@elsewhere:3128"}, Offline: tt.offline}
		c, warnings, err := loadText(t, o, "version: 1\nenvironments: {production: {proxy_url: \""+tt.text+"\"}}\n", fakeFiles{"/proxy": "https://user:pw@file:3128\n"})
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		got := ""
		if u := c.Environments["production"].ProxyURL.URL; u != nil {
			got = u.String()
		}
		if got != tt.want {
			t.Errorf("%s leads to %q, want %q", tt.text, got, tt.want)
		}
		if text := warnings.Error(); (tt.warning == "") != (text == "") || !strings.HasSuffix(text, tt.warning) {
			t.Errorf("%s: warnings %q, want %q", tt.text, text, tt.warning)
		}
		var printed bytes.Buffer
		if err := c.Print(&printed, PrintOptions{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(printed.String(), "pw") || strings.HasPrefix(tt.text, "$") && !strings.Contains(printed.String(), tt.text) {
			t.Errorf("%s is printed as\n%s", tt.text, printed.String())
		}
	}
}

// A file that rotates is read again, with the same rules; nothing else is.
func TestReread(t *testing.T) {
	files := fakeFiles{"/secret": "new\r\n", "/empty": "\n"}
	tests := []struct {
		reference, want, problem string
	}{
		{"${file:/secret}", "new", ""},
		{"${file:/empty}", "", "refers to file /empty, which is empty"},
		{"${file:/gone}", "", "refers to file /gone, which cannot be read"},
		{"${env:NAME}", "old", ""},
		{"", "old", ""},
	}
	for _, tt := range tests {
		s := Secret{Text: secret.New("old"), Reference: tt.reference}
		got, err := s.Reread(files)
		switch {
		case tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem) || strings.Contains(err.Error(), "old")):
			t.Errorf("%s: error %v, want %s", tt.reference, err, tt.problem)
		case tt.problem == "" && (err != nil || got.Reveal() != tt.want || got.Reference != tt.reference):
			t.Errorf("%s: %q, %v", tt.reference, got.Reveal(), err)
		}
	}
}

func TestRereadOfKeysChecksThem(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, keyBytes))
	files := fakeFiles{"/good": good + "\n", "/short": canary}
	if k, err := (Key{Secret{Reference: "${file:/good}"}}).Reread(files); err != nil || len(k.Bytes()) != keyBytes {
		t.Errorf("good key: %d bytes, %v", len(k.Bytes()), err)
	}
	_, err := Key{Secret{Reference: "${file:/short}"}}.Reread(files)
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("short key: %v", err)
	}
}
