package iqsim

// The header habits below are those of answers captured between October 2018
// and January 2019.

const (
	corsFieldsAllowed = "accept,origin,authorization,content-type,content-language,etag,if-match,if-none-match,if-modified-since,if-unmodified-since"
	corsAllMethods    = "GET,OPTIONS,HEAD,POST,PUT,DELETE,TRACE,CONNECT"
)

func poweredBy() []Field {
	return []Field{
		{"X-AspNet-Version", "4.0.30319"},
		{"X-Powered-By", "ASP.NET"},
		{"Arr-Disable-Session-Affinity", "True"},
		{"Access-Control-Allow-Origin", "*"},
	}
}

// webAPIProfile is the habit of most services: never to be cached, open to
// every origin, answered by IIS itself.
func webAPIProfile() Profile {
	return Profile{Fields: append(
		poweredBy(),
		Field{"Cache-Control", "no-cache"},
		Field{"Pragma", "no-cache"},
		Field{"Expires", "-1"},
		Field{"Server", "Microsoft-IIS/10.0"},
		Field{"Access-Control-Allow-Headers", corsFieldsAllowed},
		Field{"Access-Control-Allow-Methods", corsAllMethods},
	)}
}

// managedProfile is a Web API behind Azure API Management, which hides the
// server's name and adds its own limit.
func managedProfile() Profile {
	p := webAPIProfile()
	p.Rules = []FieldRule{{Match: "/**", Omit: []string{"Server"}}}
	p.APIMLimit = "1500"
	return p
}

func catalogsProfile() Profile {
	return Profile{
		Limit: 500, AnonymousLimit: 500, JSONCharset: true, CompressFrom: 1,
		Fields: append(
			poweredBy(),
			Field{"Cache-Control", "private"},
			Field{"Content-Language", "en-US"},
			Field{"Vary", "Accept"},
			Field{"Server", "Microsoft-IIS/10.0"},
			Field{"Access-Control-Allow-Headers", ""},
			Field{"Access-Control-Allow-Methods", "GET, OPTIONS, PATCH, POST, PUT, DELETE"},
		),
		Rules: []FieldRule{{
			Match: "GET /v1/Companies({company})/Catalog/Items",
			Set:   []Field{{"Link", `</Items.xml>; rel="application/xml"`}},
		}},
	}
}

func entityManagerProfile() Profile {
	return Profile{
		Limit: 1500, RateHeaders: RateNone, APIMLimit: "1500", JSONCharset: true, CompressFrom: 1,
		Fields: append(
			poweredBy(),
			Field{"Cache-Control", "private"},
			Field{"Access-Control-Allow-Methods", "GET,OPTIONS,PATCH,POST,PUT,DELETE"},
		),
	}
}

func accountsProfile() Profile {
	return Profile{
		Limit: 1_000_000, AnonymousLimit: 1_000_000, APIMLimit: "3000", JSONCharset: true, Chunked: true, CompressFrom: 1,
		Fields: append(
			poweredBy(),
			Field{"Cache-Control", "private,no-cache, no-store, must-revalidate"},
			Field{"Pragma", "no-cache"},
			Field{"Expires", "0"},
			Field{"X-UA-Compatible", "IE=edge"},
			Field{"Access-Control-Allow-Methods", "GET,OPTIONS,PATCH,POST,PUT,DELETE"},
		),
	}
}

// availabilityProfile tells only the limit of the API management.
func availabilityProfile() Profile {
	p := managedProfile()
	p.Limit, p.RateHeaders = 1500, RateNone
	return p
}

// reasonCodeProfile tags what it reads by content, and says when it was
// changed: always just now.
func reasonCodeProfile() Profile {
	p := webAPIProfile()
	p.Rules = []FieldRule{{
		Match: "GET /**",
		Set: []Field{
			{"Cache-Control", "no-transform, must-revalidate, max-age=0, private"},
			{"Vary", "Accept,Accept-Language,Accept-Encoding"},
		},
		Omit:       []string{"Pragma", "Expires"},
		ContentTag: true,
	}}
	p.CompressFrom = 192
	return p
}

// sharedHostProfile is what the services behind api.iqmetrix.net send.
func sharedHostProfile() Profile {
	return Profile{
		Limit: 1500, RateHeaders: RateNone, APIMLimit: "1500", JSONCharset: true,
		Encodings: []string{"identity"},
		Fields:    []Field{{"X-Powered-By", "ASP.NET"}},
	}
}

// anonymously returns p for a service that answers without a token too.
func anonymously(p Profile, requests ...string) Profile {
	p.Anonymous = requests
	return p
}

// dataConnectProfile counts no calls: DataConnect limits how many run at once.
func dataConnectProfile() Profile {
	p := webAPIProfile()
	p.Limit, p.AnonymousLimit, p.RateHeaders = Unlimited, Unlimited, RateNone
	p.Encodings = []string{"gzip", "deflate"}
	return p
}

// BuiltinProfile returns the profile that a service has when nothing changes
// it. Services that were never captured get the commonest habits.
func BuiltinProfile(service string) Profile {
	switch service {
	case "accounts":
		return accountsProfile()
	case "catalogs":
		return catalogsProfile()
	case "crm":
		return managedProfile()
	case "entitymanager":
		return entityManagerProfile()
	case "availability":
		return availabilityProfile()
	case "reasoncode":
		return reasonCodeProfile()
	case "dataconnect":
		return dataConnectProfile()
	case "reference", "vmi", "vmi1", "vmi3", "vmi10": // SOAP has its credentials in the body
		return anonymously(webAPIProfile(), "/**")
	case "ams":
		return anonymously(webAPIProfile(), "GET /assets/{id}", "GET /images/{id}**", "HEAD /assets/{id}", "HEAD /images/{id}**")
	}
	if len(service) > 4 && service[:4] == "api/" {
		return sharedHostProfile()
	}
	return webAPIProfile()
}
