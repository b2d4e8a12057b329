package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"iqgateway/config"
	"iqgateway/internal/redisconn"
)

func (d *doctor) lookAtRedis(ctx context.Context) {
	connections := d.gateway.stores.connections()
	if len(connections) == 0 {
		d.report(finding{
			Check: "redis", Status: findingSkipped, Value: "none is configured",
			Why: "quota, tokens and limits are those of each replica alone", Remedy: "set redis.addresses before there is a second replica",
		})
	}
	for name, conn := range connections {
		d.examineRedis(ctx, name, conn)
	}
	d.reportAll(plainFindings(d.gateway.cfg))
}

// plainFindings are about connections that anybody on the way can read.
func plainFindings(cfg *config.Config) []finding {
	var all []finding
	look := func(name string, addresses []config.HostPort) {
		away := slices.IndexFunc(addresses, func(a config.HostPort) bool { return !a.Loopback() })
		if cfg.Redis.TLS.Enabled || away < 0 {
			return
		}
		all = append(all, finding{
			Check: "redis", Subject: name + " connection", Status: findingWarning, Value: "not encrypted, to " + string(addresses[away]),
			Why:    "who is on the way reads its password, keys and cached answers; tokens are sealed",
			Remedy: "set redis.tls.enabled, or see that the network between them is yours alone",
		})
	}
	if cfg.Redis != nil {
		look(storeName, cfg.Redis.Addresses)
		look(cacheStoreName, cfg.Cache.Redis.Addresses)
	}
	return all
}

func (d *doctor) examineRedis(ctx context.Context, name string, conn *redisconn.Conn) {
	const why = "without it a gateway serves, but each replica alone: a login and a part of the quota for each"
	report := func(subject string, status findingStatus, value, why, remedy string) {
		d.report(finding{Check: "redis", Subject: name + subject, Status: status, Value: value, Why: why, Remedy: remedy})
	}
	if err := conn.Connect(ctx); err != nil {
		report("", findingFailure, err.Error(), why, "see that the address, the password and redis.tls are right, and that the network lets it through")
		return
	}
	facts, err := conn.Examine(ctx)
	if err != nil || len(facts) == 0 {
		report("", findingFailure, fmt.Sprintf("found, but does not answer within redis.timeout: %v", err), why, "see how loaded it is, or raise redis.timeout")
		return
	}
	if err := conn.Try(ctx, d.gateway.replica); err != nil {
		report(" rights", findingFailure, "a script that writes and reads a key failed: "+err.Error(), why,
			"give its user the rights that docs/redis.md lists, and see that it takes writes (replica, maxmemory)")
	} else {
		report(" rights", findingOK, "scripts may write and read", "", "")
	}
	mode := conn.Status().Mode
	for i, f := range facts {
		server := ""
		if len(facts) > 1 {
			server = " " + strconv.Itoa(i+1)
		}
		report(server, findingOK, strings.TrimSpace(string(mode)+" "+f.Info["redis_version"]), "", "")
		d.report(clockFinding("redis", name+server, f.Skew, "Redis"))
		d.reportAll(memoryFindings(name, server, f.Info))
		d.reportAll(persistenceFindings(name, server, f.Info))
	}
}

func (d *doctor) reportAll(all []finding) {
	for _, f := range all {
		d.report(f)
	}
}

// memoryFindings judge what a server does when its memory is full.
func memoryFindings(name, server string, info map[string]string) []finding {
	f := finding{Check: "redis", Subject: name + server + " memory", Status: findingOK}
	if info == nil {
		f.Status, f.Value = findingSkipped, "its user may not ask (INFO)"
		f.Remedy = "see maxmemory-policy there: it must be noeviction on the shared server"
		return []finding{f}
	}
	policy := cmp.Or(info["maxmemory_policy"], "noeviction")
	most, _ := strconv.ParseInt(info["maxmemory"], 10, 64)
	used, _ := strconv.ParseInt(info["used_memory"], 10, 64)
	bound := "all there is"
	if most > 0 {
		bound = config.Size(most).String()
	}
	f.Value = fmt.Sprintf("%s, %s used of %s", policy, config.Size(used), bound)
	switch {
	case name == storeName && policy != "noeviction":
		f.Status = findingFailure
		f.Why, f.Remedy = "an eviction takes tokens and quota away: logins are repeated, and the quota is spent twice", "CONFIG SET maxmemory-policy noeviction; give the cache a server of its own (cache.redis.addresses)"
	case name == cacheStoreName && !strings.HasPrefix(policy, "allkeys-"):
		f.Status = findingWarning
		f.Why, f.Remedy = "a full cache refuses to store what is newer", "CONFIG SET maxmemory-policy allkeys-lru"
	case most > 0 && used > most/10*9:
		f.Status = findingWarning
		f.Why, f.Remedy = "writes fail once it is full", "raise maxmemory, or find what fills it"
	}
	return []finding{f}
}

// persistenceFindings judge what a server has left after a restart. Nothing that
// is kept there is needed for long, but a server that cannot save takes no writes.
func persistenceFindings(name, server string, info map[string]string) []finding {
	if name != storeName || info == nil {
		return nil
	}
	f := finding{Check: "redis", Subject: name + server + " persistence", Status: findingOK, Value: "snapshots"}
	switch {
	case info["aof_enabled"] == "1":
		f.Value = "append-only file"
	case info["rdb_saves"] == "0": // from Redis 7 on
		f.Value = "none: no append-only file, and no snapshot since it began"
		f.Why = "none is needed, but its restart costs a login for each credential, and quota until it is learned again"
	}
	for _, field := range []string{"rdb_last_bgsave_status", "aof_last_write_status"} {
		if status := info[field]; status != "" && status != "ok" {
			f.Status, f.Value = findingFailure, field+" is "+status
			f.Why, f.Remedy = "it refuses all writes while it cannot save", "see its log and its disk, or turn saving off there (save \"\", appendonly no): a gateway does without"
		}
	}
	return []finding{f}
}

// clockFinding compares a clock with that of this machine.
func clockFinding(check, subject string, skew time.Duration, whose string) finding {
	f := finding{Check: check, Subject: subject + " clock", Status: findingOK, Value: "agrees"}
	if skew.Abs() > maxSkew {
		f.Status, f.Value = findingWarning, fmt.Sprintf("%s's clock is %s off this machine's", whose, skew.Round(100*time.Millisecond))
		f.Why, f.Remedy = "tokens, JWTs and windows of quota end by clocks", "let both follow NTP"
	}
	return f
}
