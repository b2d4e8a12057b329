package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// buildInfo is what /version and `gateway version` show.
type buildInfo struct {
	Version   string `json:"version"`
	Revision  string `json:"revision,omitempty"`
	Modified  bool   `json:"modified,omitempty"`
	GoVersion string `json:"go_version"`
	Platform  string `json:"platform"`
}

func readBuildInfo() buildInfo {
	info := buildInfo{Version: version, GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, s := range build.Settings {
			switch s.Key {
			case "vcs.revision":
				info.Revision = s.Value
			case "vcs.modified":
				info.Modified = s.Value == "true"
			}
		}
	}
	return info
}

func (p program) versionCommand() *cobra.Command {
	output := outputFlag("table")
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  gateway version
  gateway version -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			info := readBuildInfo()
			return output.write(p.stdout, info, func() error {
				_, err := fmt.Fprintf(p.stdout, "iqgateway %s %s (%s, %s)\n", info.Version, info.Revision, info.GoVersion, info.Platform)
				return err
			})
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}
