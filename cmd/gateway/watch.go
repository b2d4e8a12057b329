package main

import (
	"bytes"
	"context"
	"errors"
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
// the last one, without a blank one between; elsewhere they follow each other.
func (p program) watch(ctx context.Context, every time.Duration, draw func(io.Writer) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for first := true; ; first = false {
		var picture bytes.Buffer
		if err := draw(&picture); err != nil {
			if errors.Is(err, context.Canceled) && !first {
				return nil
			}
			return err
		}
		text := picture.Bytes()
		if isTerminal(p.stdout) {
			text = covering(text)
		}
		if _, err := p.stdout.Write(text); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
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
