package config_test

import (
	"testing"

	"iqgateway/config"
)

// load reads an example; its references lead nowhere on this machine.
func load(t *testing.T, path string) *config.Config {
	t.Helper()
	c, warnings, err := config.Load(config.LoadOptions{Path: path, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Log(w)
	}
	return c
}

func TestExamplesLoad(t *testing.T) {
	for _, name := range []string{"minimal", "simulator", "full"} {
		t.Run(name, func(t *testing.T) {
			c := load(t, "../examples/"+name+".yaml")
			if c.Version != 1 {
				t.Errorf("version %d", c.Version)
			}
		})
	}
}
