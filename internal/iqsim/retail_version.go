package iqsim

import (
	"net/http"
	"time"
)

// versioned is the revision that a write makes of a document: the new fields,
// the old identity, the next Version. Concurrency control at the provider is
// by Version in the body; an In that names another than the current one is
// refused with 409, one that names none is refused only where required.
func versioned(old, in document, now time.Time, required bool) (document, error) {
	current, _ := old.whole("Version")
	given, ok := in.whole("Version")
	if ok && given != current || !ok && required {
		return nil, refusedError{http.StatusConflict, messageStale}
	}
	next := document{"Version": current + 1}
	for _, field := range []string{"Id", "CustomerId", "CreatedUtc", "CreatedDateUtc"} {
		if v, kept := old[field]; kept {
			next[field] = v
		}
	}
	if _, dated := old["LastModifiedDateUtc"]; dated {
		next["LastModifiedDateUtc"] = stamp(now)
	}
	return in.with(next), nil
}

// bumped is the revision that a document gets when something that it contains
// was written.
func bumped(old document, now time.Time) document {
	version, _ := old.whole("Version")
	return old.with(document{"Version": version + 1, "LastModifiedDateUtc": stamp(now)})
}
