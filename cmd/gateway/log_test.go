package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/config"
	"iqgateway/observability"
)

// stuck takes nothing until it is closed.
type stuck chan struct{}

func (s stuck) Write(b []byte) (int, error) {
	<-s
	return len(b), nil
}

// What says that lines are missing is no event that repeats.
func TestEachLossIsTold(t *testing.T) {
	var text bytes.Buffer
	log, err := openLog(&text, config.Logs{})
	if err != nil {
		t.Fatal(err)
	}
	for range 15 {
		log.lost(observability.LinesLost{Lines: 1})
	}
	var stderr bytes.Buffer
	log.run(&stderr)()
	if n := strings.Count(text.String(), linesAreMissing); n != 15 || stderr.Len() != 0 {
		t.Errorf("told %d times of 15; stderr: %s", n, stderr.String())
	}
}

// The end tells stderr of lines that nobody has taken, and waits for nobody.
func TestLinesThatAreLeftAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nobody := stuck(make(chan struct{}))
		defer close(nobody)
		var heard bytes.Buffer
		for _, stderr := range []io.Writer{&heard, nobody} {
			log, err := openLog(nobody, config.Logs{})
			if err != nil {
				t.Fatal(err)
			}
			begun, end := time.Now(), log.run(stderr)
			log.Info("one")
			log.Info("another")
			end()
			if took := time.Since(begun); took > 2*logFarewell {
				t.Errorf("the end has taken %s", took)
			}
		}
		if got, want := heard.String(), "lines of the log that could not be written before the end: 2\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
