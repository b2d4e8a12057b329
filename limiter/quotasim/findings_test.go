package quotasim

import (
	"fmt"
	"testing"
)

// TestSeedsThatBrokeAnInvariant runs again what random runs have found. Each
// names the fault behind it.
func TestSeedsThatBrokeAnInvariant(t *testing.T) {
	t.Parallel()
	for seed, fault := range map[uint64]string{
		3488:   "what was carried into a window counted as under way until its end",
		3624:   "each rare caller with a guarantee kept a token to the end of the window",
		5508:   "what nobody was promised was kept beyond the first instant at which the window could end",
		5064:   "six windows that passed unseen were taken for one long window",
		30457:  "as 3488",
		30745:  "as 5508",
		102051: "as 5064",
		106278: "as 5064",
		201494: "an emptied store believed a replica whose news was of an old window",
		203789: "requests that were under way for seconds, without the store",
		205708: "a refusal without fields did not close the window of a replica alone",
		208511: "windows that began with our own request were taken for aligned with the clock",
	} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			if _, v := Run(Draw(seed), Design()); v != nil {
				t.Errorf("%s\n%s", fault, v.Report())
			}
		})
	}
}
