package proxy

import "testing"

func frame(kind, flags byte, payload int) []byte {
	return append([]byte{byte(payload >> 16), byte(payload >> 8), byte(payload), kind, flags, 0, 0, 0, 1}, make([]byte, payload)...)
}

func TestFrameTrack(t *testing.T) {
	const data, settings = 0x0, 0x4
	for name, tt := range map[string]struct {
		written           []byte
		between, answered bool
	}{
		"nothing":                 {nil, true, false},
		"settings":                {frame(settings, 0, 6), true, false},
		"half of a frame's head":  {frame(settings, 0, 6)[:5], false, false},
		"half of a payload":       {frame(data, 0, 70_000)[:100], false, false},
		"a large payload":         {frame(data, 0, 70_000), true, false},
		"an answer":               {frame(frameHeaders, flagEndHeaders, 20), true, true},
		"an answer without more":  {frame(frameHeaders, flagEndHeaders, 0), true, true},
		"a header that goes on":   {frame(frameHeaders, 0, 20), false, true},
		"a header that went on":   {append(frame(frameHeaders, 0, 20), frame(frameContinuation, flagEndHeaders, 9)...), true, true},
		"a header that goes on 2": {append(frame(frameHeaders, 0, 20), frame(frameContinuation, 0, 9)...), false, true},
	} {
		var whole, bytewise frameTrack
		whole.advance(tt.written)
		for _, b := range tt.written {
			bytewise.advance([]byte{b})
		}
		if whole.between() != tt.between || whole.answered != tt.answered {
			t.Errorf("%s: between %v, answered %v", name, whole.between(), whole.answered)
		}
		if whole != bytewise {
			t.Errorf("%s: byte by byte %+v, at once %+v", name, bytewise, whole)
		}
	}
}
