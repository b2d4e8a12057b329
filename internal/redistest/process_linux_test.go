package redistest

import (
	"os"
	"testing"
)

func TestStateOfAProcess(t *testing.T) {
	for stat, want := range map[string]byte{
		"7 (redis-server) S 1 7 7 0":   'S',
		"7 (redis-server) T 1 7 7 0":   'T',
		"7 (odd) T (name) R) Z 1 7 7 ": 'Z',
		"7 (cut":                       ' ', // no bracket: the third byte is no state
		"7 (cut)":                      0,
		"":                             0,
	} {
		if got := state([]byte(stat)); got != want {
			t.Errorf("state(%q) = %q, want %q", stat, got, want)
		}
	}
	if still, err := stopped(os.Getpid()); err != nil || still {
		t.Errorf("this process: stopped %v, %v", still, err)
	}
	if _, err := stopped(-1); err == nil {
		t.Error("a process that does not exist has a state")
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte("7 (redis-server) S 1 7 7 0"))
	f.Add([]byte(")"))
	f.Fuzz(func(t *testing.T, stat []byte) {
		if got := state(append(stat, ") T 1 2"...)); got != 'T' {
			t.Errorf("a name of %q hides the state: %q", stat, got)
		}
	})
}
