package archtest_test

// This is a statement of policy. Do not change it to make a build pass: move
// the code to where it may be, or change docs/architecture.md first.

// vocabulary may be imported by every package; it imports the standard library
// alone.
var vocabulary = []string{"internal/exchange", "internal/pathpattern", "internal/roots", "internal/secret", "internal/steady", "internal/tape"}

// imports lists, for each package, which others of ours its code may import
// beside the vocabulary. A package that is not listed fails the test.
var imports = map[string][]string{
	"internal/exchange":    nil,
	"internal/pathpattern": nil,
	"internal/roots":       nil,
	"internal/secret":      nil,
	"internal/steady":      nil,
	"internal/tape":        nil,

	"auth":          nil,
	"breaker":       nil,
	"bulkhead":      nil,
	"callerlimit":   nil,
	"cache":         nil,
	"certs":         nil,
	"config":        nil,
	"limiter":       nil,
	"observability": nil,
	"override":      nil,
	"proxy":         nil,
	"retry":         nil,
	"tokencache":    nil,
	"usage":         nil,

	"internal/fleet":            nil,
	"internal/watchdog":         nil,
	"internal/redisconn":        nil,
	"internal/redistest":        {"internal/redisconn"}, // connects to what it starts
	"internal/fleet/redisstore": {"internal/fleet", "internal/redisconn"},
	"auth/redisstore":           {"auth", "internal/redisconn"},
	"breaker/redisstore":        {"breaker", "internal/redisconn"},
	"cache/redisstore":          {"cache", "internal/redisconn"},
	"callerlimit/redisstore":    {"callerlimit", "internal/redisconn"},
	"certs/redisstore":          {"certs", "internal/redisconn"},
	"limiter/redisstore":        {"limiter", "internal/redisconn"},
	"override/redisstore":       {"override", "internal/redisconn"},
	"proxy/redisstore":          {"proxy", "internal/redisconn"},
	"tokencache/redisstore":     {"tokencache", "internal/redisconn"},
	"usage/redisstore":          {"usage", "internal/redisconn"},

	"internal/archtest":      nil,
	"internal/clocktest":     nil,
	"internal/dnstest":       nil,
	"internal/goldentest":    nil,
	"internal/iqsim":         nil,
	"internal/iqsim/simtest": {"internal/iqsim"}, // starts it for tests
	"internal/rawcase":       nil,
	"breaker/storetest":      {"breaker"},     // the acceptance suite of its stores
	"cache/storetest":        {"cache"},       // the acceptance suite of its stores
	"callerlimit/storetest":  {"callerlimit"}, // the acceptance suite of its stores
	"limiter/quotasim":       {"limiter"},     // simulates it
	"limiter/storetest":      {"limiter"},     // the acceptance suite of its stores
	"override/storetest":     {"override"},    // the acceptance suite of its stores
	"tokencache/storetest":   {"tokencache"},  // the acceptance suite of its stores
	"usage/storetest":        {"usage"},       // the acceptance suite of its stores

	"cmd/gateway": {anyOfOurs}, // the only place that knows everything
	"cmd/iqsim":   {"internal/iqsim"},
}

// testImports may be imported by the tests of every package.
var testImports = []string{
	"internal/clocktest", "internal/dnstest", "internal/goldentest", "internal/iqsim", "internal/iqsim/simtest", "internal/rawcase", "internal/redistest",
	"breaker/storetest", "cache/storetest", "callerlimit/storetest", "limiter/storetest", "override/storetest", "tokencache/storetest", "usage/storetest",
}

// testLibraries may be imported by the tests of every package. Beside them,
// tests may import the heavy libraries of their own package.
var testLibraries = []string{
	"github.com/google/go-cmp",
	"go.uber.org/goleak",
	"golang.org/x/net", // frames of HTTP/2, which net/http hides
	"pgregory.net/rapid",
}

// libraries names where code may use a heavy library, and why only there.
var libraries = []library{
	{
		prefix: "github.com/redis/go-redis",
		places: []string{"internal/redisconn", "internal/redistest", "*/redisstore"},
		reason: "one client with one set of timeouts, one breaker and one way to seal values",
	},
	{
		prefix: "go.opentelemetry.io/",
		places: []string{"observability", "cmd/gateway"},
		reason: "leaves expose hook funcs and stay free of telemetry",
	},
	{
		prefix: "github.com/prometheus/",
		places: []string{"observability", "cmd/gateway"},
		reason: "leaves expose hook funcs and stay free of telemetry",
	},
	{
		prefix: "go.yaml.in/yaml",
		places: []string{"config"},
		reason: "one strict reader of YAML, with positions",
	},
	{
		prefix: "github.com/knadh/koanf",
		places: []string{"config"},
		reason: "the rest of the program sees typed settings only",
	},
	{
		prefix: "github.com/fsnotify/fsnotify",
		places: []string{"config"},
		reason: "one watcher of configuration files; secrets and certificates are looked at each second",
	},
	{
		prefix: "github.com/spf13/cobra",
		places: []string{"cmd/gateway"},
		reason: "the command line is an edge",
	},
	{
		prefix: "github.com/maypok86/otter",
		places: []string{"cache"},
		reason: "one bounded store in memory",
	},
	{
		prefix: "github.com/sony/gobreaker",
		places: []string{"breaker"},
		reason: "one way to count failures",
	},
	{
		prefix: "github.com/caddyserver/certmagic",
		places: []string{"certs", "certs/redisstore"},
		reason: "one keeper of certificates",
	},
	{
		prefix: "go.uber.org/zap",
		places: []string{"certs"},
		reason: "what the ACME client logs with",
	},
	{
		prefix: "github.com/go-jose/go-jose",
		places: []string{"auth"},
		reason: "one reader of JWTs",
	},
	{
		prefix: "golang.org/x/oauth2",
		places: []string{"tokencache"},
		reason: "no other package may hold a token",
	},
	{
		prefix: "net/http/httputil",
		places: []string{"proxy", "internal/rawcase"}, // rawcase reads chunked bodies with it
		reason: "one bridge between the inbound and the outbound stages",
	},
}
