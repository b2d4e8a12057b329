package fleet

import "time"

// Execution is one command that this replica has executed.
type Execution struct {
	ID       ID // 0 = this replica sent it
	Kind     string
	From     string // replica that sent it
	Duration time.Duration
	Err      error  // nil = followed
	Stack    []byte // of a panic
}

// Hooks are called as things happen; nil funcs are skipped. They must be safe
// for concurrent use.
type Hooks struct {
	// Executed is called after each command, the unreadable ones too.
	Executed func(Execution)
	// Beaten is called after each beat with the number of members alive, or
	// with the reason why the store did not take it.
	Beaten func(members int, err error)
	// Missed is called when commands were sent that this replica never got: it
	// was cut off for longer than they are kept.
	Missed func()
	// Panicked is called when a hook panicked.
	Panicked func(value any, stack []byte)
}

func (h Hooks) panicked(value any, stack []byte) {
	if h.Panicked != nil {
		h.Panicked(value, stack)
	}
}

func (h Hooks) executed(e Execution) {
	if h.Executed != nil {
		h.Executed(e)
	}
}

func (h Hooks) beaten(members int, err error) {
	if h.Beaten != nil {
		h.Beaten(members, err)
	}
}

func (h Hooks) missed() {
	if h.Missed != nil {
		h.Missed()
	}
}
