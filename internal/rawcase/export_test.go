package rawcase

// LosePatience makes every further wait a short one.
func LosePatience(u *Upstream) { u.patience.lost.Store(maxLost) }
