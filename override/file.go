package override

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	fileName = "overrides.json"
	maxFile  = 256 << 10
	// tempPattern follows the name while the file is being written.
	tempPattern = ".*.tmp"
)

// File is the [Store] of a replica that shares nothing: memory, and a file in dir
// so that a restart keeps what holds. It is safe for concurrent use.
type File struct {
	path string // "" = memory alone
	now  func() time.Time

	mu     sync.Mutex
	loaded bool
	held   []Held
}

// NewFile returns a store that keeps its file in dir; "" = it forgets with the
// process. now is the clock; nil = time.Now.
func NewFile(dir string, now func() time.Time) *File {
	f := &File{now: now}
	if now == nil {
		f.now = time.Now
	}
	if dir != "" {
		f.path = filepath.Join(dir, fileName)
	}
	return f
}

// fileContent is the file. Its instants are of the wall clock: nothing else
// outlives a process.
type fileContent struct {
	Version   int          `json:"version"`
	Overrides []fileRecord `json:"overrides"`
}

type fileRecord struct {
	ID          string    `json:"id"`
	Key         string    `json:"key"`
	Value       string    `json:"value"`
	Reason      string    `json:"reason"`
	By          string    `json:"by"`
	Replica     string    `json:"replica"`
	UntilReload bool      `json:"until_reload,omitempty"`
	Config      string    `json:"config,omitempty"`
	Set         time.Time `json:"set"`
	Until       time.Time `json:"until"`
}

// Load implements [Store]. A file that cannot be read is an error until it is
// replaced by a change.
func (f *File) Load(context.Context) (Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.read()
	return Snapshot{All: tell(f.held, f.now())}, err
}

// Update implements [Store].
func (f *File) Update(_ context.Context, change func([]Override) ([]Override, error)) (Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.read(); err != nil {
		f.loaded = true // what cannot be read is replaced
	}
	now := f.now()
	all, err := change(tell(f.held, now))
	if err != nil {
		return Snapshot{}, err
	}
	f.held = hold(all, now)
	return Snapshot{All: all}, f.write()
}

// read fills held from the file, once.
func (f *File) read() error {
	if f.loaded || f.path == "" {
		return nil
	}
	f.clean()
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.loaded = true
		return nil
	}
	var content fileContent
	switch {
	case err != nil:
	case len(text) > maxFile:
		err = errors.New("is too large")
	default:
		err = json.Unmarshal(text, &content)
	}
	if err == nil && content.Version != 1 {
		err = fmt.Errorf("version %d is not 1", content.Version)
	}
	if err != nil {
		return fmt.Errorf("%s: no overrides can be read: %w", f.path, err)
	}
	f.loaded = true
	now := f.now()
	for _, r := range content.Overrides {
		f.held = append(f.held, Held{
			Override{ID: r.ID, Key: r.Key, Value: r.Value, Reason: r.Reason, By: r.By, Replica: r.Replica, UntilReload: r.UntilReload, Config: r.Config},
			now.Add(-max(0, now.Sub(r.Set))), now.Add(min(r.Until.Sub(now), Longest)),
		})
	}
	return nil
}

// write replaces the file as a whole: a crash leaves the old one or the new.
func (f *File) write() error {
	if f.path == "" {
		return nil
	}
	content := fileContent{Version: 1, Overrides: []fileRecord{}}
	for _, h := range f.held {
		content.Overrides = append(content.Overrides, fileRecord{h.ID, h.Key, h.Value, h.Reason, h.By, h.Replica, h.UntilReload, h.Config, h.Set.UTC(), h.Until.UTC()})
	}
	text, err := json.Marshal(content)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(f.path), 0o700)
	}
	if err == nil {
		err = replaceFile(f.path, text)
	}
	if err != nil {
		return fmt.Errorf("the overrides hold, but would be forgotten by a restart: %w", err)
	}
	return nil
}

// clean removes what a crash has left half written.
func (f *File) clean() {
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(f.path), fileName+tempPattern))
	for _, name := range names {
		_ = os.Remove(name) // or at the next start
	}
}

// replaceFile writes beside path (mode 0600) and renames, once all is on disk.
func replaceFile(path string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), fileName+tempPattern)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
