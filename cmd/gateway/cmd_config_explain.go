package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"iqgateway/config"
)

// settingDocument is what gateway config explain prints.
type settingDocument struct {
	config.Setting

	Change   string `json:"change,omitempty"`   // what a changed value needs
	Override string `json:"override,omitempty"` // the pattern that allows one
	// InForce are the overrides of it that hold in the fleet that was asked.
	InForce []overrideDocument `json:"in_force,omitempty"`
}

func (p program) configExplainCommand() *cobra.Command {
	var flags configFlags
	var running adminFlags
	output, ask := outputFlag("table"), false
	cmd := &cobra.Command{
		Use:   "explain KEY",
		Short: "Say what a setting means, what it may be, and where its value comes from",
		Long: `Say what a setting means, what it may be and what it is when nobody sets it; whether
a reload is enough to change it, and whether it can be overridden while the fleet
runs. With -c FILE also what it is there and where that comes from: of a service's
setting, in each environment.

With --running a running gateway is asked which overrides of it hold: they lie above
files, variables and flags.

` + adminHelp,
		Example: `  gateway config explain services.crm.quota.max_wait
  gateway config explain services.crm.timeouts.total -c gateway.yaml
  gateway config explain callers.storefront.class -c gateway.yaml -o json
  gateway config explain services.crm.quota.enforce --running`,
		Args: exactArgs(1, "one KEY, as services.crm.quota.max"),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.explainSetting(flags, args[0])
			if err != nil {
				return err
			}
			if ask {
				if d.InForce, err = p.overridesOf(cmd.Context(), running, d.Key); err != nil {
					return err
				}
			}
			return output.write(p.stdout, d, func() error { return writeSetting(p.stdout, d) })
		},
	}
	flags.register(cmd)
	cmd.Flags().Lookup("config").Usage = "configuration file, to show what the setting is there"
	running.register(cmd)
	cmd.Flags().BoolVar(&ask, "running", false, "ask a running gateway which overrides of it hold")
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

// overridesOf asks a running gateway for the overrides of a setting, of what is
// below it, and of a service's setting in one environment.
func (p program) overridesOf(ctx context.Context, flags adminFlags, key string) ([]overrideDocument, error) {
	client, err := p.adminClient(flags)
	if err != nil {
		return nil, err
	}
	var list overrideList
	if err := client.get(ctx, pathOverrides, &list); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Overrides, func(d overrideDocument) bool {
		of := d.Key
		if path := strings.SplitN(of, ".", 3); path[0] == "environments" && strings.HasPrefix(key, "services.") {
			of = path[len(path)-1]
		}
		return of != key && !strings.HasPrefix(of, key+".")
	}), nil
}

func (p program) explainSetting(flags configFlags, key string) (settingDocument, error) {
	var cfg *config.Config
	if flags.path != "" {
		flags.offline = true // nothing secret is needed
		var err error
		if cfg, _, err = p.read(flags); err != nil {
			return settingDocument{}, err
		}
	}
	setting, err := config.Explain(key, cfg)
	if err != nil {
		return settingDocument{}, usageError{err}
	}
	d := settingDocument{Setting: setting}
	if len(setting.Keys) == 0 {
		d.Change = changeOf(setting, cfg)
		d.Override = config.OverridePattern(setting.Key)
	}
	return d, nil
}

// changeOf says what a changed value needs, with a configuration if there is one.
func changeOf(s config.Setting, cfg *config.Config) string {
	mode := ""
	if cfg != nil {
		mode = cfg.Server.TLS.Mode
	}
	switch {
	case isFixed(s.Key, fixedSettings(mode)):
		return "restart"
	case cfg == nil && isFixed(s.Key, fixedSettings(tlsSelfSigned)):
		return "reload; restart where server.tls.mode is " + tlsSelfSigned
	case s.Follows:
		return "reload; the file that it names is followed by itself"
	default:
		return "reload"
	}
}

func writeSetting(w io.Writer, d settingDocument) error {
	fmt.Fprintln(w, printable(d.Key))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"meaning", d.Meaning},
		{"type", d.Type},
		{"default", d.Default},
		{"change", d.Change},
		{"override", d.Override},
		{"keys", strings.Join(d.Keys, ", ")},
	} {
		if row[1] != "" {
			fmt.Fprintf(t, "  %s\t%s\n", row[0], row[1])
		}
	}
	if d.Required {
		fmt.Fprintln(t, "  required\tyes")
	}
	for _, v := range d.Values {
		of := "value"
		if v.Environment != "" {
			of = "in " + v.Environment
		}
		fmt.Fprintf(t, "  %s\t%s\t(%s)\n", of, shown(v.Value), printable(v.Source))
	}
	for _, o := range d.InForce {
		fmt.Fprintf(t, "  overridden\t%s=%s\t(%s, by %s: %s)\n", printable(o.Key), printable(o.Value),
			cmp.Or(printable(o.Unfit), "until "+o.Until.Format(time.RFC3339)), printable(o.By), printable(o.Reason))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}
