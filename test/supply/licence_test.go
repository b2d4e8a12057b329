package supply_test

import (
	"slices"
	"testing"

	"iqgateway/test/supply"
)

func TestLicences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []string
	}{
		{"                 Apache License\n           Version 2.0, January 2004", []string{"Apache-2.0"}},
		{"Permission is hereby granted, free of charge,\nto any person obtaining a copy", []string{"MIT"}},
		{"Redistributions of source code must retain the above. Neither the name of", []string{"BSD-3-Clause"}},
		{"Redistributions of source code must retain the above.", []string{"BSD-2-Clause"}},
		{"Redistributions of source code must retain it. All advertising materials must", []string{"BSD-4-Clause"}},
		{"GNU AFFERO GENERAL PUBLIC LICENSE", []string{"AGPL"}},
		{"GNU GENERAL PUBLIC LICENSE\nVersion 3", []string{"GPL"}},
		{"Mozilla Public License Version 2.0 … (so named) GNU General Public License", []string{"MPL-2.0", "GPL"}},
		{"Business Source License 1.1", []string{""}},
		{"", []string{""}},
	} {
		if got := supply.Licences(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, not %q", c.text, got, c.want)
		}
	}
}
