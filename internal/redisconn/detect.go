package redisconn

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// detect finds out what the addresses are from the first that answers.
func (c *Conn) detect(ctx context.Context) (target, error) {
	found := target{mode: c.options.Mode, masterName: c.options.MasterName}
	if found.mode == ModeSingle || found.mode == ModeCluster {
		return found, nil
	}
	var problems error
	for _, address := range c.options.Addresses {
		t, err := c.ask(ctx, address, found)
		if _, wrong := errors.AsType[*settingsError](err); err == nil || wrong {
			return t, err
		}
		err = fmt.Errorf("%s: %w", address, err)
		if problems == nil {
			problems = err
		} else { // one line, unlike errors.Join
			problems = fmt.Errorf("%w; %w", problems, err)
		}
	}
	return found, problems
}

// settingsError is what only a change of the configuration mends.
type settingsError struct{ text string }

func (e *settingsError) Error() string { return "redis: " + e.text }

// ask tries every login that the settings hold: which one fits is known only
// when it is known whether a sentinel or a server listens.
func (c *Conn) ask(ctx context.Context, address string, found target) (target, error) {
	own := *c.credentials.Load()
	logins := []credentials{own, {password: *c.sentinel.Load()}, {}}
	var first error
	for i, login := range logins {
		if i > 0 && login.password.Equal(logins[i-1].password) {
			continue
		}
		t, err := c.askAs(ctx, address, login, found)
		if err == nil || !refusesLogin(err) {
			return t, err
		}
		if first == nil {
			first = err
		}
	}
	return found, first
}

func refusesLogin(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && slices.Contains([]Reason{"NOAUTH", "WRONGPASS", "NOPERM", "ERR"}, e.Reason)
}

func (c *Conn) askAs(ctx context.Context, address string, login credentials, found target) (target, error) {
	if found.mode == ModeAuto {
		mode, err := c.hello(ctx, address, login)
		if err != nil {
			return found, err
		}
		found.mode = mode
	}
	if found.mode == ModeSentinel {
		name, err := c.masterName(ctx, address, login)
		if err != nil {
			return found, err
		}
		found.masterName = name
	}
	return found, nil
}

// hello works without any right but to log in.
func (c *Conn) hello(ctx context.Context, address string, login credentials) (Mode, error) {
	client := redis.NewClient(c.askOptions(address, login))
	defer client.Close() //nolint:errcheck // it was only asked
	reply, err := client.Conn().Hello(ctx, 3, "", "", "").Result()
	if err != nil {
		return "", askError("hello", err)
	}
	switch mode, _ := reply["mode"].(string); {
	case mode == "cluster":
		return ModeCluster, nil
	case mode == "sentinel":
		return ModeSentinel, nil
	case len(c.options.Addresses) > 1:
		return "", &settingsError{"addresses: several, but they are standalone servers; give one, or the sentinels that watch them"}
	default:
		return ModeSingle, nil
	}
}

// masterName asks a sentinel for the masters that it watches.
func (c *Conn) masterName(ctx context.Context, address string, login credentials) (string, error) {
	sentinel := redis.NewSentinelClient(c.askOptions(address, login))
	defer sentinel.Close() //nolint:errcheck // it was only asked
	masters, err := sentinel.Masters(ctx).Result()
	if err != nil {
		return "", askError("sentinel masters", err)
	}
	names := make([]string, 0, len(masters))
	for _, m := range masters {
		names = append(names, nameOf(m))
	}
	want := c.options.MasterName
	switch {
	case want == "" && len(names) == 1:
		return names[0], nil
	case want != "" && slices.Contains(names, want):
		return want, nil
	default:
		return "", &settingsError{fmt.Sprintf("master_name: %q is none of the %d masters that the sentinels watch: %q", want, len(names), names)}
	}
}

// nameOf reads the name in a description of a master, which is a map or a
// list of pairs by the protocol's version.
func nameOf(master any) string {
	switch m := master.(type) {
	case map[any]any:
		name, _ := m["name"].(string)
		return name
	case []any:
		for i := 0; i+1 < len(m); i += 2 {
			if m[i] == "name" {
				name, _ := m[i+1].(string)
				return name
			}
		}
	}
	return ""
}

func askError(operation string, err error) error {
	if e, ok := errors.AsType[*Error](reduce(err)); ok {
		return &Error{Operation: operation, Reason: e.Reason}
	}
	return &Error{Operation: operation, Reason: ReasonOther}
}

func (c *Conn) askOptions(address string, login credentials) *redis.Options {
	o := c.clientOptions().Simple()
	o.Addr = address
	o.PoolSize = 2 // one failed dial in a pool of one has the library go on dialling
	o.CredentialsProviderContext = nil
	o.Username, o.Password = login.username, login.password.Reveal()
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o
}
