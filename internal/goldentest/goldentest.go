// Package goldentest compares files of the tree with what the code says, and
// writes them anew when tests run with -update.
package goldentest

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//nolint:gochecknoglobals // a flag of the test program is one for the whole of it
var update = flag.Bool("update", false, "rewrite the files that tests compare with")

// Compare fails the test where file does not hold want.
func Compare(t testing.TB, file, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s is not what the code says; run this test with -update (make docs does, for documents) and read the difference\n%s", file, diff)
	}
}
