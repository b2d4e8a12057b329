package cache

// Key is the primary key of a stored answer: an injective encoding of
// everything but the selecting request fields.
type Key string
