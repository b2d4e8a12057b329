package config

import (
	"fmt"
	"strings"
)

// layer is a source of settings; a higher one wins.
type layer int8

const (
	layerDefault layer = iota
	layerCatalogue
	layerFile
	layerVariable
	layerFlag
	layerOverride
)

// Origin is where a value comes from. The zero Origin is the built-in default.
type Origin struct {
	Layer layer
	Name  string // of the file, variable or flag; why, of an override
	Line  int    // in a file, from 1; 0 = the file as a whole
}

// String returns "default", "catalogue", "gateway.yaml:12", "IQGW_ADMIN__TOKEN",
// "flag server.address" or "override (sale of the year)".
func (o Origin) String() string {
	switch o.Layer {
	case layerCatalogue:
		return "catalogue"
	case layerFile:
		if o.Line == 0 {
			return o.Name
		}
		return fmt.Sprintf("%s:%d", o.Name, o.Line)
	case layerVariable:
		return o.Name
	case layerFlag:
		return "flag " + o.Name
	case layerOverride:
		return "override (" + o.Name + ")"
	default:
		return "default"
	}
}

// written reports whether an operator gave the value.
func (o Origin) written() bool { return o.Layer >= layerFile }

// join appends a key to a path; names with other characters than those of keys
// are quoted, so that a path can be read back.
func join(path, key string) string {
	if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		key = fmt.Sprintf("%q", key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
