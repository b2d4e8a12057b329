package config

// credential checks that an account has what its grant needs, and where its
// token calls go.
func (c *checker) credential(name string, cred Credential) {
	path := join("credentials", name)
	login := cred.Username.Set() && cred.Password.Set()
	switch {
	case cred.Grant != "client_credentials" && !login:
		c.errorf(path, "grant %s needs username and password", cred.Grant)
	case cred.Grant == "client_credentials" && (cred.Username.Set() || cred.Password.Set()):
		c.errorf(path, "grant client_credentials uses no username and password: remove them, or use grant password")
	case cred.Grant == "client_credentials" && !cred.ClientSecret.Set():
		c.errorf(path+".client_secret", "is empty, and grant client_credentials needs it")
	}
	if !cred.ClientID.Set() {
		c.errorf(path+".client_id", "is empty: write the id of the OAuth client")
	}
	c.tokenCalls(path, cred)
	c.sharedLogin(name, cred)
}

// sharedLogin warns of two credentials that log in as one user: refusals are
// counted for each of them, but the provider locks the user.
func (c *checker) sharedLogin(name string, cred Credential) {
	for _, other := range sortedKeys(c.Credentials) {
		o := c.Credentials[other]
		if other < name && o.Environment == cred.Environment && !cred.Username.IsZero() && o.Username.Equal(cred.Username.Text) {
			c.warnf(join("credentials", name), "logs in as the same user as credentials.%s: a wrong password is tried three times an hour by each, which may lock the user; one credential is enough for one account", other)
		}
	}
}

func (c *checker) tokenCalls(path string, cred Credential) {
	if cred.TokenURL == nil {
		if accounts, known := c.environments[cred.Environment].Service("accounts"); !known || accounts.Upstream == nil {
			c.errorf(path, "needs a token_url: environment %s has no accounts service to get tokens from%s", cred.Environment, reasonOf(accounts))
		}
		return
	}
	if insecure(cred.TokenURL) && !c.Environments[cred.Environment].AllowPlaintext {
		c.errorf(path+".token_url", "%q is plain HTTP beyond loopback: use https, or set allow_plaintext of environment %s", cred.TokenURL, cred.Environment)
	}
}

func reasonOf(s *EffectiveService) string {
	if s == nil || s.Reason == "" {
		return ""
	}
	return " (" + s.Reason + ")"
}
