package tokencache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Refusals must survive a restart without a Store, else a gateway that is
// restarted again and again locks its account. historyDir keeps them, one
// file per credential and set of secrets.
type historyDir string // "" = none

const (
	historyPrefix  = "token-refusals-"
	historySuffix  = ".json"
	maxHistoryFile = 16 << 10
	historyKept    = 7 * 24 * time.Hour // of secrets that nobody uses any more
)

// historyFile is the content: no secret and no name is in it.
type historyFile struct {
	Version  int             `json:"version"`
	Refusals []storedRefusal `json:"refusals"`
}

type storedRefusal struct {
	ID string    `json:"id"`
	At time.Time `json:"at"` // wall clock
}

// path hashes the key, so that the name tells no more than the content.
func (d historyDir) path(key StoreKey) string {
	text := fmt.Sprintf("%d:%s%d:%s%x", len(key.Environment), key.Environment, len(key.Credential), key.Credential, key.Fingerprint)
	sum := sha256.Sum256([]byte(text))
	return filepath.Join(string(d), historyPrefix+hex.EncodeToString(sum[:])+historySuffix)
}

// load returns the refusals on file, none when there is no file.
func (d historyDir) load(key StoreKey, now time.Time) ([]Refusal, error) {
	if d == "" {
		return nil, nil
	}
	f, err := os.Open(d.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the refusals on file: %w", err)
	}
	defer func() { _ = f.Close() }()
	refusals, err := parseHistory(f, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; it is ignored", f.Name(), err)
	}
	return refusals, nil
}

func parseHistory(r io.Reader, now time.Time) ([]Refusal, error) {
	var content historyFile
	if err := json.NewDecoder(io.LimitReader(r, maxHistoryFile)).Decode(&content); err != nil {
		return nil, fmt.Errorf("no list of refusals: %w", err)
	}
	if content.Version != 1 {
		return nil, fmt.Errorf("version %d is not 1", content.Version)
	}
	var all []Refusal
	for _, r := range content.Refusals {
		if r.ID == "" || len(r.ID) > 64 || r.At.IsZero() {
			return nil, errors.New("a refusal without an id or a time")
		}
		all = append(all, Refusal(r))
	}
	return uniteRefusals(nil, all, time.Time{}, now), nil
}

// save replaces the file as a whole: a crash leaves the old one or the new.
func (d historyDir) save(key StoreKey, refusals []Refusal) error {
	content := historyFile{Version: 1}
	for _, r := range refusals {
		content.Refusals = append(content.Refusals, storedRefusal{ID: r.ID, At: r.At.UTC().Round(0)})
	}
	text, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("writing the refusals to file: %w", err)
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("writing the refusals to file: %w", err)
	}
	if err := replaceFile(d.path(key), text); err != nil {
		return fmt.Errorf("writing the refusals to file: %w", err)
	}
	return nil
}

// replaceFile writes beside path (mode 0600) and renames, once all is on disk.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), historyPrefix+"*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func (d historyDir) remove(key StoreKey) error {
	if d == "" {
		return nil
	}
	if err := os.Remove(d.path(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the refusals on file: %w", err)
	}
	return nil
}

// clean removes files that have not changed for a week and that no credential
// in use has: of secrets that are gone, and of writes that a crash cut short.
func (d historyDir) clean(now time.Time, used []StoreKey) error {
	if d == "" {
		return nil
	}
	keep := make(map[string]bool, len(used))
	for _, key := range used {
		keep[filepath.Base(d.path(key))] = true
	}
	files, err := os.ReadDir(string(d))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cleaning up refusals on file: %w", err)
	}
	var failures []error
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), historyPrefix) || keep[f.Name()] {
			continue
		}
		info, err := f.Info()
		if err == nil && now.Sub(info.ModTime()) > historyKept {
			failures = append(failures, os.Remove(filepath.Join(string(d), f.Name())))
		}
	}
	return errors.Join(failures...)
}
