package config

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Seen are the files that a configuration was read from: the main file, and what
// it includes or would include, with what they held. Those of secrets and
// certificates are not among them, unless it was [Seen.Refused]. It is safe for
// concurrent use.
type Seen struct {
	mu       sync.Mutex
	loaded   map[string]fingerprint // by name
	referred map[string]fingerprint // of secrets and certificates
	patterns []string
}

// fingerprint is what a file holds; the zero value stands for one that is not
// there, cannot be read, or only once (a pipe).
type fingerprint [sha256.Size]byte

// files passes reads on and notes them, in place of what was noted before.
func (s *Seen) files(files Files) Files {
	if s == nil {
		return files
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded, s.referred, s.patterns = map[string]fingerprint{}, map[string]fingerprint{}, nil
	return noting{files, s, s.loaded}
}

// referrals is files for what the configuration refers to. It follows them.
func (s *Seen) referrals(files Files) Files {
	if s == nil {
		return files
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return noting{files, s, s.referred}
}

// Refused has the files that the configuration refers to count as its own until the
// next Load: what was refused may be right once a secret or a certificate comes that
// it was ahead of. Kubernetes updates a ConfigMap and a Secret in no order.
func (s *Seen) Refused() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, held := range s.referred {
		if _, known := s.loaded[name]; !known {
			s.loaded[name] = held
		}
	}
}

type noting struct {
	Files

	seen *Seen
	into map[string]fingerprint
}

// ReadFile implements [Files].
func (n noting) ReadFile(name string, limit int64) ([]byte, error) {
	text, err := n.Files.ReadFile(name, limit)
	var held fingerprint
	switch {
	case err == nil && !isPipe(name): // one that is gone by now has changed
		held = sha256.Sum256(text)
	case err != nil && !errors.Is(err, fs.ErrNotExist): // too large for a secret, say
		held = fingerprintOf(name)
	}
	n.seen.mu.Lock()
	defer n.seen.mu.Unlock()
	n.into[filepath.Clean(name)] = held // a pattern may find it by another spelling
	return text, err                    //nolint:wrapcheck // the file system's, as it is
}

// Glob implements [Files].
func (n noting) Glob(pattern string) ([]string, error) {
	n.seen.mu.Lock()
	n.seen.patterns = append(n.seen.patterns, pattern)
	n.seen.mu.Unlock()
	return n.Files.Glob(pattern) //nolint:wrapcheck // the file system's, as it is
}

// isPipe reports whether a file is there and can be read only once.
func isPipe(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.Mode().IsRegular()
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// Moved reports whether the files hold something else now, or others are there.
func (s *Seen) Moved() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !maps.Equal(s.loaded, s.now())
}

// held is what the files hold now.
func (s *Seen) held() map[string]fingerprint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

func (s *Seen) now() map[string]fingerprint {
	now := make(map[string]fingerprint, len(s.loaded))
	for name := range s.loaded {
		now[name] = fingerprintOf(name)
	}
	for _, pattern := range s.patterns {
		found, _ := filepath.Glob(pattern) // a bad pattern finds nothing, ever
		for _, name := range found {
			now[filepath.Clean(name)] = fingerprintOf(name)
		}
	}
	return now
}

func fingerprintOf(name string) fingerprint {
	if isPipe(name) {
		return fingerprint{}
	}
	text, err := OSFiles{}.ReadFile(name, maxFile)
	if err != nil {
		return fingerprint{}
	}
	return sha256.Sum256(text)
}

// dirs are the folders in which a change of a file would show: its own, and that
// of what its links lead to. Of a pattern of folders: those that it finds, and the
// one in which others would come.
func (s *Seen) dirs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for name := range s.loaded {
		all = append(all, filepath.Dir(name))
		if target, err := filepath.EvalSymlinks(name); err == nil {
			all = append(all, filepath.Dir(target))
		}
	}
	for _, pattern := range s.patterns {
		dir := filepath.Dir(pattern)
		for ; hasMeta(dir); dir = filepath.Dir(dir) {
			found, _ := filepath.Glob(dir)
			for _, name := range found {
				if isFolder(name) {
					all = append(all, name)
				}
			}
		}
		all = append(all, dir)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
