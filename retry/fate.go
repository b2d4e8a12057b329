package retry

import (
	"errors"

	"iqgateway/internal/exchange"
)

// doubtful says of a failed write that an earlier attempt may have been
// executed, whatever became of the last one.
func doubtful(err error) error {
	p, ok := errors.AsType[*exchange.Problem](err)
	if !ok {
		return &doubt{err}
	}
	if p.Outcome == exchange.OutcomeUnknown {
		return err
	}
	known := *p
	known.Detail = exchange.Refuse(p.Type, "An earlier attempt of this write may have been executed. Then it was repeated: "+p.Detail).Detail
	known.Outcome = exchange.OutcomeUnknown
	if p.Err != nil {
		known.Err = &doubt{p.Err}
	}
	return &known
}

// doubt is the cause of a problem about a write of which something was sent,
// even if nothing was in the attempt that caused it.
type doubt struct{ err error }

// Error implements error.
func (d *doubt) Error() string { return d.err.Error() }

// Unwrap returns the cause.
func (d *doubt) Unwrap() error { return d.err }

// NothingSent is for the stages above: something was.
func (d *doubt) NothingSent() bool { return false }
