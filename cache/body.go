package cache

// canonicalBody returns a digest of a reading POST's body that is equal for
// bodies which mean the same: JSON without regard to white space, escapes and
// the order of an object's names. ok is false for what is not certain: such a
// request bypasses the cache.
func canonicalBody(contentType string, body []byte) (digest string, ok bool) {
	_, _ = contentType, body
	return "", false
}
