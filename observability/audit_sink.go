package observability

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// auditWriteTimeout bounds a write to a pipe that nobody reads.
const auditWriteTimeout = time.Second

// AuditTo returns the sink of a stream that others write to as well.
func AuditTo(w io.Writer) AuditSink {
	if lines, ok := w.(*Lines); ok {
		return auditLines{lines}
	}
	return auditStream{w}
}

type auditStream struct{ io.Writer }

// Follow implements [AuditSink]: a stream cannot be moved.
func (auditStream) Follow(bool) bool { return false }

// Close implements [AuditSink]; the stream is not ours.
func (auditStream) Close() error { return nil }

// AuditFile returns the sink of a file, which is made if it does not exist, for
// its owner alone, and opened anew once it was renamed or removed. It may be a
// pipe: one that nobody reads fails.
func AuditFile(path string) AuditSink { return &auditFile{path: path} }

type auditFile struct {
	path string
	file *os.File // nil = is to be opened
}

// Write implements [AuditSink].
func (f *auditFile) Write(lines []byte) (int, error) {
	if f.file == nil {
		// Without waiting: a pipe would, until somebody reads it.
		opened, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
		if err != nil {
			return 0, err
		}
		f.file = opened
	}
	if err := f.file.SetWriteDeadline(time.Now().Add(auditWriteTimeout)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return 0, err
	}
	return f.file.Write(lines)
}

// Follow implements [AuditSink].
func (f *auditFile) Follow(always bool) bool {
	if f.file == nil || !always && f.there() {
		return false
	}
	_ = f.file.Close() // what was written is written
	f.file = nil
	return true
}

// there reports whether the path still leads to the open file.
func (f *auditFile) there() bool {
	open, err := f.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(f.path)
	return err == nil && os.SameFile(open, named)
}

// Close implements [AuditSink].
func (f *auditFile) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
