package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

func (p program) cacheCommand() *cobra.Command {
	var flags adminFlags
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Show what the cache saves, and purge stored answers",
		Long: `Show what the cache of a running gateway has answered and saved, and drop stored
answers on every replica of the fleet.

What is stored is decided by rules: ` + "`gateway explain`" + ` shows the one that counts
for a request, and the Cache-Status field of each answer what became of it.

` + adminHelp,
		Args: subcommandRequired,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags.register(cmd)
	cmd.AddCommand(p.cacheStatsCommand(&flags), p.cachePurgeCommand(&flags))
	return cmd
}

func (p program) cacheStatsCommand(flags *adminFlags) *cobra.Command {
	output, reasons := outputFlag("table"), false
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show hits, misses and calls saved, by service",
		Long: `Show what one replica has answered from its cache since it began, a service a
line. Other replicas have counts of their own: iqgw_cache_requests_total in
/metrics has those of the whole fleet.

  HITS         fresh stored answers
  STALE        stored answers past their time, where a rule allows that
  JOINED       answers to the same question of another caller at the same time
  CONFIRMED    stored answers that the upstream confirmed with 304
  MISSES       the upstream was asked, or would have been (only-if-cached)
  BYPASS       nothing may be stored or used for the request
  SAVED        upstream calls that were not made, and quota tokens not spent
  SUGGESTED    what a rule that only counts (catalogue: suggest) would have hit
  MEMORY       what is stored in the replica now

--reasons shows why: uri-miss (never asked before), stale, rule (none stores it),
method, write and so on.`,
		Example: `  gateway cache stats
  gateway cache stats --reasons
  gateway cache stats -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := p.adminClient(*flags)
			if err != nil {
				return err
			}
			var d cacheDocument
			if err := client.get(cmd.Context(), pathCache, &d); err != nil {
				return err
			}
			return output.write(p.stdout, d, func() error { return writeCache(p.stdout, d, reasons) })
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	cmd.Flags().BoolVar(&reasons, "reasons", false, "why answers did not come from the cache")
	return cmd
}

func (p program) cachePurgeCommand(flags *adminFlags) *cobra.Command {
	output, ask := outputFlag("table"), purgeRequest{}
	cmd := &cobra.Command{
		Use:   "purge --service SERVICE (--path | --pattern | --url | --tag | --all)",
		Short: "Drop stored answers, on every replica",
		Long: `Drop stored answers of a service on every replica, within a second: after a change
that did not go through the gateway, or when an answer is known to be wrong.
Nothing is lost by it: what is asked for again is fetched again, which costs one
quota token each.

Say what to drop, by exactly one of:

  --path PATH        this path, whatever the query, for every credential
  --pattern PATTERN  all paths that a pattern of a cache rule's kind matches:
                     {name} stands for a part without /, ( and ), ** at the end for any rest
  --url URL          this path with exactly this query, or a URL of the upstream
  --tag TAG          all whose rule has the tag (services.NAME.cache.rules[].tags); one that
                     no rule has is refused
  --all              all of the service

Paths are those behind the service's own part: /v1/Companies(1)/Tree. They are
compared as the upstream does, without regard to case. Without --environment it is
every one in which some caller can reach the service. --tag and --all may stand
without --service: then they mean every service. The answer says how many replicas
have followed; those that are cut off from Redis follow when they are back, and use
nothing for longer than five seconds meanwhile that callers can write; the exit code
is 1 then. The gateway needs an admin.token for this.`,
		Example: `  gateway cache purge --service entitymanager --path '/v1/Companies(1)/Tree'
  gateway cache purge --service catalogs --pattern '/v1/Companies({company})/Catalog/**'
  gateway cache purge --service crm --url '/v1/Companies(1)/Customers?$top=5'
  gateway cache purge --environment sandbox --service pricing --all
  gateway cache purge --tag prices`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.purgeCache(cmd, *flags, output, ask) },
	}
	f := cmd.Flags()
	f.StringVar(&ask.Service, "service", "", "name or alias of the service")
	f.StringVar(&ask.Environment, "environment", "", "one environment; default: all in which a caller can reach the service")
	f.StringVar(&ask.Path, "path", "", "a path, whatever its query")
	f.StringVar(&ask.Pattern, "pattern", "", "a path pattern")
	f.StringVar(&ask.URL, "url", "", "a path with its exact query, or an upstream's URL")
	f.StringVar(&ask.Tag, "tag", "", "a tag of cache rules")
	f.BoolVar(&ask.All, "all", false, "all of the service")
	ask.register(cmd)
	f.VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func (p program) purgeCache(cmd *cobra.Command, flags adminFlags, output outputFlag, ask purgeRequest) error {
	if err := ask.check(); err != nil { // the flags are named as the members are
		return usageError{errors.New(strings.ReplaceAll(err.Error(), `as {"service": "crm", "path": "/v1/Companies(1)"}`, `as --service crm`))}
	}
	client, err := p.adminClient(flags)
	if err != nil {
		return err
	}
	var done purged
	if err := client.post(cmd.Context(), pathCachePurge, ask, &done); err != nil {
		return err
	}
	if err := output.write(p.stdout, done, func() error { return writePurged(p.stdout, done) }); err != nil {
		return err
	}
	return notFollowed(done.Result)
}
