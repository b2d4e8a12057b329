package tokencache

import (
	"strings"
	"testing"

	"iqgateway/internal/secret"
)

func TestCredentialCheck(t *testing.T) {
	cases := map[string]struct {
		change func(*Credential)
		want   string // "" = accepted
	}{
		"as it is":            {func(*Credential) {}, ""},
		"client credentials":  {func(c *Credential) { c.Grant, c.Secrets.Password = GrantClientCredentials, secret.Text{} }, ""},
		"plain http":          {func(c *Credential) { c.TokenURL = "http://127.0.0.1:1/token" }, ""},
		"no name":             {func(c *Credential) { c.Name = "" }, "name and an environment"},
		"no environment":      {func(c *Credential) { c.Environment = "" }, "name and an environment"},
		"unknown grant":       {func(c *Credential) { c.Grant = "implicit" }, "none of password"},
		"relative URL":        {func(c *Credential) { c.TokenURL = "/token" }, "https://host/path"},
		"other scheme":        {func(c *Credential) { c.TokenURL = "ftp://host/token" }, "https://host/path"},
		"no URL at all":       {func(c *Credential) { c.TokenURL = "https://h/%zz" + canaryPassword }, "cannot be read"},
		"password in the URL": {func(c *Credential) { c.TokenURL = "https://u:" + canaryPassword + "@host/token" }, "no user"},
		"secret in the query": {func(c *Credential) { c.TokenURL = "https://host/token?client_secret=" + canarySecret }, "no user, query"},
		"fragment":            {func(c *Credential) { c.TokenURL = "https://host/token#x" }, "fragment"},
		"no client":           {func(c *Credential) { c.Secrets.ClientID = secret.Text{} }, "client_id is empty"},
		"no username":         {func(c *Credential) { c.Secrets.Username = secret.Text{} }, "username is empty"},
		"no password":         {func(c *Credential) { c.Secrets.Password = secret.Text{} }, "password is empty"},
		"no client secret": {
			func(c *Credential) { c.Grant, c.Secrets.ClientSecret = GrantClientCredentials, secret.Text{} }, "client_secret is empty",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cred := testCredential(nil)
			c.change(&cred)
			_, err := New(Options{}).Use([]Credential{cred})
			if (err == nil) != (c.want == "") {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if err != nil {
				checkClean(t, "the error", err.Error())
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %q, want %q", err, c.want)
				}
			}
		})
	}
}

func TestCredentialGivenTwice(t *testing.T) {
	_, err := New(Options{}).Use([]Credential{testCredential(nil), testCredential(nil)})
	if err == nil || !strings.Contains(err.Error(), `"production/retail" is given twice`) {
		t.Errorf("error %v", err)
	}
}

// Every setting that decides what a token is worth makes another key; those
// that only say how it is used do not.
func TestKey(t *testing.T) {
	base := testCredential(nil).withDefaults()
	other := map[string]func(*Credential){
		"name":        func(c *Credential) { c.Name = "x" },
		"environment": func(c *Credential) { c.Environment = "x" },
		"grant":       func(c *Credential) { c.Grant = GrantRefreshToken },
		"token URL":   func(c *Credential) { c.TokenURL += "x" },
		"client":      func(c *Credential) { c.Secrets.ClientID = secret.New("x") },
		"secret":      func(c *Credential) { c.Secrets.ClientSecret = secret.New("x") },
		"username":    func(c *Credential) { c.Secrets.Username = secret.New("x") },
		"password":    func(c *Credential) { c.Secrets.Password = secret.New("x") },
		"a byte moved": func(c *Credential) {
			id, pw := c.Secrets.ClientID.Reveal(), c.Secrets.ClientSecret.Reveal()
			c.Secrets.ClientID, c.Secrets.ClientSecret = secret.New(id+pw[:1]), secret.New(pw[1:])
		},
	}
	for name, change := range other {
		c := base
		change(&c)
		if c.key() == base.key() {
			t.Errorf("%s: same key", name)
		}
	}
	c := base
	c.RefreshAhead, c.Transport = 1, &idp{}
	if c.key() != base.key() {
		t.Error("how a token is used changed the key")
	}
}
