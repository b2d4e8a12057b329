package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Files is the file system that a configuration and its references are read
// from.
type Files interface {
	// ReadFile returns a file of at most limit bytes; a longer one is an error.
	ReadFile(name string, limit int64) ([]byte, error)
	// Glob returns the names that match a pattern of [filepath.Match].
	Glob(pattern string) ([]string, error)
}

// OSFiles is the file system of the machine.
type OSFiles struct{}

var _ Files = OSFiles{}

// ReadFile implements [Files]. Only regular files and pipes are read, so that
// a directory or device gives an error and not a surprise.
func (OSFiles) ReadFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file and the reason
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file and the reason
	}
	if mode := info.Mode(); !mode.IsRegular() && mode&fs.ModeNamedPipe == 0 {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("it is no regular file")}
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1)) //nolint:forbidigo // bounded
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file and the reason
	}
	if int64(len(text)) > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("it is larger than %s", Size(limit))}
	}
	return text, nil
}

// Glob implements [Files].
func (OSFiles) Glob(pattern string) ([]string, error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	return names, nil
}

// cause strips the operation and the path from an error of a file, where the
// message around it already names the file.
func cause(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
