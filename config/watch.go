package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// watchQuiet is how long files must not change before they are looked at:
	// what writes several, or one in pieces, is not met half way.
	watchQuiet = 250 * time.Millisecond
	// watchPatience is how long that is waited for.
	watchPatience = 3 * time.Second
	// watchPoll is how often files are looked at without being told: networked
	// file systems tell of nothing, and the kernel's queue may overflow.
	watchPoll = 10 * time.Second
)

// Watcher tells when the files of a configuration hold something else: written in
// place, renamed over, removed and made anew, or swapped by the link of a
// Kubernetes ConfigMap. Whatever happened, only their bytes decide.
type Watcher struct {
	// Seen are the files, as the last Load noted them.
	Seen *Seen
	// Changed is called when they hold something else. It loads them, well or not.
	Changed func()
	// Troubled is told when the system does not tell of changes, and why, once for
	// each reason; nil tells that it does again. Every ten seconds they are looked
	// at in any case.
	Troubled func(error)

	// notify makes what the system tells by; nil = fsnotify.NewWatcher.
	notify  func() (*fsnotify.Watcher, error)
	trouble string
}

// Run watches until ctx ends. What has changed since the last Load is noticed, be
// it before Run.
func (w *Watcher) Run(ctx context.Context) {
	for quiet := false; ctx.Err() == nil; {
		quiet = w.look(ctx, quiet)
	}
}

// look loads what has changed, and waits until something may have changed again. It
// reports whether the system has told so, and of nothing more for a while.
func (w *Watcher) look(ctx context.Context, quiet bool) bool {
	told := w.arm() // anew each time: a folder that was replaced has another watch
	if told != nil {
		defer told.Close() //nolint:errcheck // only watches
	}
	if w.Seen.Moved() && (quiet || w.rest(ctx)) {
		w.Changed()
	}
	return wait(ctx, told)
}

// rest waits until the files hold the same for a while, where nobody tells when
// they are being written. It reports whether ctx has not ended.
func (w *Watcher) rest(ctx context.Context) bool {
	tick := time.NewTicker(watchQuiet)
	defer tick.Stop()
	last := w.Seen.held()
	for range int(watchPatience / watchQuiet) {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		now := w.Seen.held()
		if maps.Equal(now, last) {
			break
		}
		last = now
	}
	return true
}

// arm asks the system to tell of changes; nil = it cannot.
func (w *Watcher) arm() *fsnotify.Watcher {
	notify := w.notify
	if notify == nil {
		notify = fsnotify.NewWatcher
	}
	told, err := notify()
	if err == nil {
		for _, dir := range w.Seen.dirs() {
			if addErr := told.Add(dir); addErr != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", dir, addErr))
			}
		}
	}
	w.note(err)
	return told
}

func (w *Watcher) note(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == w.trouble {
		return
	}
	w.trouble = text
	w.Troubled(err)
}

// wait returns when something may have changed and is quiet, which it reports, when
// it is time to look anyway, or when ctx ends.
func wait(ctx context.Context, told *fsnotify.Watcher) (quiet bool) {
	var events chan fsnotify.Event
	var errs chan error
	if told != nil {
		events, errs = told.Events, told.Errors
	}
	poll := time.NewTimer(watchPoll)
	defer poll.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-poll.C:
		return false
	case <-errs: //nolint:errcheck // the queue has overflowed, or the watch is lost: look
	case <-events:
	}
	silence, patience := time.NewTimer(watchQuiet), time.NewTimer(watchPatience)
	defer silence.Stop()
	defer patience.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-silence.C:
			return true
		case <-patience.C:
			return true
		case <-errs: //nolint:errcheck // as above
		case <-events:
		}
		silence.Reset(watchQuiet)
	}
}
