package certs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	// lookInterval is how often files are looked at.
	lookInterval = time.Second
	// settled is for how long a changed file may change again without showing
	// it: the clocks of file systems are coarse.
	settled = 3 * time.Second
	// maxFile bounds what is read of one file.
	maxFile = 1 << 20
)

// followed are files that belong together and may be replaced, in place, by
// renames or by a symbolic link above them: they are found by name each time.
type followed struct {
	names []string
	infos []fs.FileInfo // as of the last look; nil = unreadable
}

func follow(names ...string) followed {
	return followed{names: names, infos: make([]fs.FileInfo, len(names))}
}

// moved reports whether any file may hold something else than at the last look.
// It costs one stat each.
func (f *followed) moved(now time.Time) bool {
	moved := false
	for i, name := range f.names {
		before := f.infos[i]
		info, err := os.Stat(name)
		if err != nil {
			f.infos[i], moved = nil, true
			continue
		}
		same := before != nil && os.SameFile(info, before) && info.Size() == before.Size() && info.ModTime().Equal(before.ModTime())
		if !same || now.Sub(info.ModTime()) < settled {
			moved = true
		}
		f.infos[i] = info
	}
	return moved
}

// read returns what the files hold.
func (f *followed) read() ([][]byte, error) {
	all := make([][]byte, len(f.names))
	for i, name := range f.names {
		var err error
		if all[i], err = readFile(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	var data bytes.Buffer
	if _, err := data.ReadFrom(io.LimitReader(file, maxFile+1)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if data.Len() > maxFile {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, maxFile)
	}
	return data.Bytes(), nil
}

// every calls look until ctx ends.
func every(ctx context.Context, interval time.Duration, look func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			look()
		}
	}
}

// doubt decides when a problem is told: files that are being replaced one by one
// do not fit for a moment, so that only what is seen twice in a row is one.
type doubt struct {
	seen string // the problem of the last look
	told string
	err  error // what was told, until it is over
}

// with takes the problem of a look, nil = none, and reports whether it has to be
// told now.
func (d *doubt) with(err error) bool {
	if err == nil {
		*d = doubt{}
		return false
	}
	text := err.Error()
	again := d.seen == text
	d.seen = text
	if !again || d.told == text {
		return false
	}
	d.told, d.err = text, err
	return true
}

// open reports whether the last look found a problem.
func (d *doubt) open() bool { return d.seen != "" }
