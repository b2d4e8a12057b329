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
	if found.mode != ModeAuto && (found.mode != ModeSentinel || found.masterName != "") {
		return found, nil
	}
	var problems []error
	for _, address := range c.options.Addresses {
		t, err := c.ask(ctx, address, found)
		var wrong *settingsError
		if err == nil || errors.As(err, &wrong) {
			return t, err
		}
		problems = append(problems, err)
	}
	return found, fmt.Errorf("finding out what the addresses are: %w", errors.Join(problems...))
}

// settingsError is what only a change of the configuration mends.
type settingsError struct{ text string }

func (e *settingsError) Error() string { return e.text }

// ask tries every login that the settings hold: which one fits is known only
// when it is known whether a sentinel or a server listens.
func (c *Conn) ask(ctx context.Context, address string, found target) (target, error) {
	own := c.credentials.Load()
	var err error
	for i, login := range []credentials{*own, {password: c.options.SentinelPassword}, {}} {
		if i > 0 && login.password.IsZero() == own.password.IsZero() && login.password.Equal(own.password) {
			continue
		}
		var t target
		if t, err = c.askAs(ctx, address, login, found); err == nil || !refusesLogin(err) {
			return t, err
		}
	}
	return found, err
}

func refusesLogin(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && slices.Contains([]Reason{"NOAUTH", "WRONGPASS", "NOPERM", "ERR"}, e.Reason)
}

func (c *Conn) askAs(ctx context.Context, address string, login credentials, found target) (target, error) {
	o := c.probeOptions(address, login)
	if found.mode == ModeAuto {
		client := redis.NewClient(o)
		defer client.Close() //nolint:errcheck // it was only asked
		hello, err := client.Conn().Hello(ctx, 3, "", "", "").Result()
		if err != nil {
			return found, &Error{Operation: "hello", Reason: wordOf(err)}
		}
		switch mode, _ := hello["mode"].(string); {
		case mode == "cluster":
			found.mode = ModeCluster
		case mode == "sentinel":
			found.mode = ModeSentinel
		case len(c.options.Addresses) > 1:
			return found, &settingsError{"addresses: several, but they are standalone servers; give one, or the sentinels that watch them"}
		default:
			found.mode = ModeSingle
		}
	}
	if found.mode == ModeSentinel && found.masterName == "" {
		name, err := onlyMaster(ctx, c.probeOptions(address, login))
		if err != nil {
			return found, err
		}
		found.masterName = name
	}
	return found, nil
}

// onlyMaster asks a sentinel for its masters.
func onlyMaster(ctx context.Context, o *redis.Options) (string, error) {
	sentinel := redis.NewSentinelClient(o)
	defer sentinel.Close() //nolint:errcheck // it was only asked
	masters, err := sentinel.Masters(ctx).Result()
	if err != nil {
		return "", &Error{Operation: "sentinel masters", Reason: wordOf(err)}
	}
	if len(masters) != 1 {
		return "", &settingsError{fmt.Sprintf("master_name: the sentinels watch %d masters; name the one to use", len(masters))}
	}
	name, err := nameOf(masters[0])
	if err != nil {
		return "", err
	}
	return name, nil
}

func nameOf(master any) (string, error) {
	switch m := master.(type) {
	case map[any]any:
		if name, ok := m["name"].(string); ok {
			return name, nil
		}
	case []any:
		for i := 0; i+1 < len(m); i += 2 {
			if name, ok := m[i+1].(string); ok && m[i] == "name" {
				return name, nil
			}
		}
	}
	return "", &settingsError{"master_name: the sentinel does not tell its master's name; set it"}
}

func wordOf(err error) Reason {
	if e, ok := errors.AsType[*Error](reduce(err)); ok {
		return e.Reason
	}
	return ReasonOther
}

func (c *Conn) probeOptions(address string, login credentials) *redis.Options {
	o := c.clientOptions().Simple()
	o.Addr = address
	o.PoolSize = 1
	o.CredentialsProviderContext = nil
	o.Username, o.Password = login.username, login.password.Reveal()
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o
}
