package usage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

const (
	filePrefix = "usage-"
	fileSuffix = ".json"
	lockName   = "usage.lock"
	// maxFile is more than [MaxKeys] need with names of the longest kind.
	maxFile = 4 << 20
)

// Files is the [Store] of gateways without Redis: a file for each day, which all
// that share the directory add to. Without a directory it keeps the counts in
// memory, and a restart forgets them.
type Files struct {
	dir string

	mu    sync.Mutex
	days  Days             // without a directory
	today Day              // the last day that was written
	seen  map[string]int64 // the last batches of writers
}

// NewFiles returns a store in dir, in memory for "".
func NewFiles(dir string) *Files { return &Files{dir: dir, days: Days{}, seen: map[string]int64{}} }

// usageFile is the content of a file.
type usageFile struct {
	Version int         `json:"version"`
	Counts  []fileEntry `json:"counts"`
}

type fileEntry struct {
	Names
	Counts
}

// Add implements [Store]. What cannot be written is not counted either. A file that
// cannot be its own is moved aside, which the error tells; the next try begins anew.
func (f *Files) Add(_ context.Context, b Batch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.Seq <= f.seen[b.Writer] {
		return nil
	}
	unlock, err := f.lock()
	if err != nil {
		return fmt.Errorf("locking usage in data_dir: %w", err)
	}
	defer unlock()
	had, err := f.day(b.Day)
	if err != nil {
		return f.aside(b.Day, err)
	}
	sums := Days{}
	sums.add(b.Day, had)
	day := sums[b.Day]
	for names, c := range b.Counts {
		if _, known := day[names]; !known && len(day) >= MaxKeys {
			names = restOfDay()
		}
		day[names] = day[names].Plus(c)
	}
	if err := f.write(b.Day, day); err != nil {
		return fmt.Errorf("writing usage to data_dir: %w", err)
	}
	if f.today != b.Day {
		f.clean(b.Day)
	}
	f.today, f.seen[b.Writer] = b.Day, b.Seq
	return nil
}

// Read implements [Store].
func (f *Files) Read(_ context.Context, first, last Day, _ []string) (Days, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	days := Days{}
	for day := first; day <= last; day++ {
		counts, err := f.day(day)
		if err != nil {
			return nil, err
		}
		if len(counts) > 0 {
			days.add(day, counts)
		}
	}
	return days, nil
}

// lock keeps others out that add to the same directory.
func (f *Files) lock() (unlock func(), err error) {
	if f.dir == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, err
	}
	return lockFile(filepath.Join(f.dir, lockName))
}

// errDamaged is of a file that no gateway of this version wrote whole.
var errDamaged = errors.New("damaged")

// aside moves a damaged file out of the way, under a name that none has.
func (f *Files) aside(d Day, cause error) error {
	if !errors.Is(cause, errDamaged) {
		return cause
	}
	for n := 1; n < 100; n++ {
		to := fmt.Sprintf("%s.damaged-%d", f.path(d), n)
		if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.Rename(f.path(d), to); err != nil {
			return errors.Join(cause, err)
		}
		return fmt.Errorf("%w: moved to %s, that day is counted anew", cause, to)
	}
	return fmt.Errorf("%w: and there are 99 of its kind already: remove them", cause)
}

func (f *Files) path(d Day) string { return filepath.Join(f.dir, filePrefix+d.String()+fileSuffix) }

// day returns the counts of a day. They are not to be changed.
func (f *Files) day(d Day) (map[Names]Counts, error) {
	if f.dir == "" {
		return f.days[d], nil
	}
	info, err := os.Stat(f.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.Size() > maxFile {
		err = fmt.Errorf("%w: %d bytes, at most %d can be its own", errDamaged, info.Size(), maxFile)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(f.path(d))
	}
	var content usageFile
	if err == nil {
		if err = json.Unmarshal(text, &content); err != nil {
			err = fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	if err == nil && content.Version != 1 {
		err = fmt.Errorf("%w: version %d is not 1: another version of the gateway wrote it", errDamaged, content.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("reading usage of %s in data_dir: %w", d, err)
	}
	counts := map[Names]Counts{}
	for _, e := range content.Counts {
		counts[e.Names] = counts[e.Names].Plus(e.Counts)
	}
	return counts, nil
}

// write replaces the file as a whole: a crash leaves the old one or the new.
func (f *Files) write(d Day, counts map[Names]Counts) error {
	if f.dir == "" {
		f.days[d] = counts
		return nil
	}
	content := usageFile{Version: 1}
	for names, c := range counts {
		content.Counts = append(content.Counts, fileEntry{names, c})
	}
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	out, err := os.CreateTemp(f.dir, filePrefix+"*.tmp")
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	err = errors.Join(err, out.Sync(), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), f.path(d))
	}
	if err != nil {
		_ = os.Remove(out.Name())
	}
	return err
}

// clean forgets what is older than [KeepDays], and what a crash left half written.
// What cannot be removed is tried again the next day.
func (f *Files) clean(today Day) {
	for day := range f.days {
		if day < today-KeepDays {
			delete(f.days, day)
		}
	}
	if f.dir == "" {
		return
	}
	names, _ := filepath.Glob(filepath.Join(f.dir, filePrefix+"*"))
	for _, name := range names {
		text, isDay := strings.CutSuffix(strings.TrimPrefix(filepath.Base(name), filePrefix), fileSuffix)
		day, err := ParseDay(text)
		if strings.HasSuffix(name, ".tmp") || isDay && err == nil && day < today-KeepDays {
			_ = os.Remove(name)
		}
	}
}

var _ Store = (*Files)(nil)
