package cache

import (
	"errors"
	"time"
)

// errUnreadable is what decode returns for anything that encode did not write.
var errUnreadable = errors.New("not a stored answer")

// encode writes an object for the second tier.
func encode(o *Object, now time.Time) []byte { return nil }

// decode reads what encode wrote. The object shares nothing with b. Its
// Born.Local is 0: see [index.adopt].
func decode(b []byte, now time.Time, maxObject int64) (*Object, error) { return nil, errUnreadable }
