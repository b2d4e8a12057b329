package main

import (
	"encoding/json"
	"fmt"
	"io"

	"iqgateway/config"
)

// outputFlag is -o table|json|yaml.
type outputFlag string

// String implements pflag.Value.
func (o *outputFlag) String() string { return string(*o) }

// Type implements pflag.Value.
func (o *outputFlag) Type() string { return "format" }

// Set implements pflag.Value.
func (o *outputFlag) Set(text string) error {
	switch text {
	case "table", "json", "yaml":
		*o = outputFlag(text)
		return nil
	}
	return fmt.Errorf("%q is none of table, json and yaml", text)
}

// write writes v in the format, as a table with the func given.
func (o *outputFlag) write(w io.Writer, v any, table func() error) error {
	switch *o {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	case "yaml":
		return config.EncodeYAML(w, v)
	default:
		return table()
	}
}
