package iqsim

import (
	"io"
	"net/http"
)

// strike lets the faults of one point happen; true means that they answered.
func (v *visit) strike(point string) bool {
	answered := false
	for _, f := range v.faults {
		if f.At != point {
			continue
		}
		switch f.Kind {
		case FaultLatency:
			pauseFor(v.request, f)
		case FaultStall:
			v.stall(f)
		case FaultReset:
			resetConnection(v.out)
		case FaultRaw:
			writeRaw(v.out, f.Body)
		case FaultInterim:
			interim(v.answer, f)
		case FaultRevoke:
			v.revokeToken()
		case FaultFields:
			v.addFields(f.Fields)
		case FaultStatus:
			answered = v.replaceAnswer(f) || answered
		}
	}
	return answered
}

// stall waits; a request whose client left meanwhile ends here.
func (v *visit) stall(f Fault) {
	if f.Delay == 0 {
		v.body.drain() // the server notices that a client leaves once it has the body
	}
	pauseFor(v.request, f)
	if v.request.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
}

// revokeToken ends the token that the request carries.
func (v *visit) revokeToken() {
	serial := v.who.token.serial
	if serial == 0 {
		return
	}
	v.env.accounts.tokens.revoke(func(t token) bool { return t.serial == serial })
	v.who.valid = v.who.valid && v.answer.status != 0 // too late for an answer that is there
}

func (v *visit) addFields(fields []Field) {
	for _, f := range fields {
		v.answer.Header().Add(f.Name, f.Value)
	}
}

// replaceAnswer answers with the fault's status, unless the answer is out.
func (v *visit) replaceAnswer(f Fault) bool {
	if !v.answer.discard() {
		return false
	}
	if f.Body != "" {
		v.answer.Header().Set("Content-Type", "text/plain")
	}
	for _, field := range f.Fields {
		v.answer.Header().Set(field.Name, field.Value)
	}
	v.answer.WriteHeader(f.Status)
	_, _ = io.WriteString(v.answer, f.Body)
	return true
}
