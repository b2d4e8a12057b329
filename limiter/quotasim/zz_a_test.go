package quotasim

import "testing"

func TestZZ(t *testing.T) {
	_, v := Run(Columns(1, 8)[1].Scenario, Design())
	if v != nil {
		for _, l := range v.Trace { t.Log(l) }; t.Fatal(v)
	}
}
