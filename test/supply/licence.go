package supply

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// licencesIn returns the licences of the module in a folder.
func licencesIn(dir string) ([]string, error) {
	if dir == "" {
		return nil, errors.New("it is not in the module cache: run go mod download")
	}
	var all []string
	for _, pattern := range []string{"LICEN[CS]E*", "COPYING*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("its licence: %w", err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("its licence: %w", err)
			}
			all = append(all, Licences(string(text))...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Licences returns the SPDX identifiers of the licences in a text, by sentences
// that each of them has; "" where a text has none of these.
func Licences(text string) []string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	has := func(sentence string) bool { return strings.Contains(text, sentence) }
	var ids []string
	add := func(id string, is bool) {
		if is {
			ids = append(ids, id)
		}
	}
	add("Apache-2.0", has("apache license version 2.0") || has("under the apache license, version 2.0"))
	add("MIT", has("permission is hereby granted, free of charge, to any person obtaining a copy"))
	if has("redistributions of source code must retain") {
		add("BSD-4-Clause", has("all advertising materials"))
		add("BSD-3-Clause", !has("all advertising materials") && has("neither the name"))
		add("BSD-2-Clause", !has("all advertising materials") && !has("neither the name"))
	}
	add("ISC", has("to use, copy, modify, and/or distribute this software for any purpose") ||
		has("to use, copy, modify, and distribute this software for any purpose"))
	add("CC0-1.0", has("cc0 1.0 universal"))
	add("MPL-2.0", has("mozilla public license version 2.0") || has("mozilla public license, version 2.0"))
	// Others mention these; they themselves begin with their name.
	const title = 100
	for id, name := range map[string]string{"AGPL": "gnu affero general", "LGPL": "gnu lesser general", "GPL": "gnu general"} {
		add(id, strings.Contains(text[:min(title, len(text))], name))
	}
	if len(ids) == 0 {
		return []string{""}
	}
	return ids
}
