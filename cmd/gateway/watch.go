package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// What a terminal understands.
const (
	cursorHome = "\x1b[H"
	eraseLine  = "\x1b[K" // from the cursor on
	eraseBelow = "\x1b[J"
)

// watch draws again and again until ctx ends. On a terminal each picture covers
// the last one, without a blank one between; elsewhere they follow each other. A
// gateway that is away after the first picture, as while it starts again, is waited
// for: the last picture stays, with why.
func (p program) watch(ctx context.Context, every time.Duration, draw func(io.Writer) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var away missed
	for first := true; ; first = false {
		var picture bytes.Buffer
		err := draw(&picture)
		switch _, denied := errors.AsType[deniedError](err); {
		case err != nil && !first && ctx.Err() != nil:
			return nil
		case err != nil && (first || denied):
			return err
		case err != nil:
			picture.Reset()
		}
		if err := p.show(picture.Bytes(), away.note(err, time.Now())); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// missed is why and since when there is no new picture.
type missed struct {
	since time.Time
	why   string
}

// note returns what to tell of an error that has come, "" where that was told.
func (m *missed) note(err error, now time.Time) string {
	if err == nil {
		*m = missed{}
		return ""
	}
	if m.since.IsZero() {
		m.since = now
	}
	if m.why == err.Error() {
		return ""
	}
	m.why = err.Error()
	return fmt.Sprintf("no answer since %s: %s\n", m.since.UTC().Format(time.TimeOnly), m.why)
}

// show draws a picture, or says why there is none.
func (p program) show(picture []byte, note string) error {
	screen := isTerminal(p.stdout)
	switch {
	case note != "" && screen:
		picture = []byte(note) // below the last one, where the cursor is
	case note != "":
		_, err := io.WriteString(p.stderr, note)
		return err
	case screen && len(picture) > 0:
		picture = covering(picture)
	}
	_, err := p.stdout.Write(picture)
	return err
}

// covering has a picture take the place of what is on the screen.
func covering(picture []byte) []byte {
	lines := bytes.ReplaceAll(picture, []byte("\n"), []byte(eraseLine+"\n"))
	return append(append([]byte(cursorHome), lines...), eraseBelow...)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
