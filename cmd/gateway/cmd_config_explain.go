package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"iqgateway/config"
)

// settingDocument is what gateway config explain prints.
type settingDocument struct {
	config.Setting

	Change   string `json:"change,omitempty"`   // what a changed value needs
	Override string `json:"override,omitempty"` // the pattern that allows one
}

func (p program) configExplainCommand() *cobra.Command {
	var flags configFlags
	output := outputFlag("table")
	cmd := &cobra.Command{
		Use:   "explain KEY",
		Short: "Say what a setting means, what it may be, and where its value comes from",
		Long: `Say what a setting means, what it may be and what it is when nobody sets it; whether
a reload is enough to change it, and whether it can be overridden while the fleet
runs. With -c FILE also what it is there and where that comes from: of a service's
setting, in each environment.

What overrides hold in a running fleet is shown by gateway override list.`,
		Example: `  gateway config explain services.crm.quota.max_wait
  gateway config explain services.crm.timeouts.total -c gateway.yaml
  gateway config explain callers.storefront.class -c gateway.yaml -o json`,
		Args: exactArgs(1, "one KEY, as services.crm.quota.max"),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := p.explainSetting(flags, args[0])
			if err != nil {
				return err
			}
			return output.write(p.stdout, d, func() error { return writeSetting(p.stdout, d) })
		},
	}
	flags.register(cmd)
	cmd.Flags().Lookup("config").Usage = "configuration file, to show what the setting is there"
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
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
		d.Change = changeOf(setting)
		d.Override = config.OverridePattern(setting.Key)
	}
	return d, nil
}

// changeOf says what a changed value needs.
func changeOf(s config.Setting) string {
	switch {
	case isFixed(s.Key, fixedSettings()):
		return "restart"
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
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}
