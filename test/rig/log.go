package rig

import (
	"bytes"
	"sync"
)

// Log is what a process writes. It is safe for concurrent use.
type Log struct {
	mu    sync.Mutex
	text  bytes.Buffer
	taken int64 // bytes
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns what was written since the last Take.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Take returns what was written since the last Take and forgets it, so that a
// long run needs no more memory than a short one. A line that is not complete
// yet stays.
func (l *Log) Take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	whole := bytes.LastIndexByte(l.text.Bytes(), '\n') + 1
	text := string(l.text.Next(whole))
	l.taken += int64(whole)
	return text
}
