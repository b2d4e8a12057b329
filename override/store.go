package override

import "context"

// Snapshot is what a store holds.
type Snapshot struct {
	// All hold at the moment of the trip: what has ended is not among them.
	All []Override
	// Empty says that the store knows of nothing that ever was, as after it has
	// lost everything. Overrides that were cleared leave it not empty, for as long
	// as the longest of them could have held. After an update: that it found nothing,
	// or nothing that it could read, and so has replaced what others may still hold.
	Empty bool
}

// Store is what replicas share. Each call is bounded by the store itself. An error
// means that nobody knows what holds elsewhere, and whether an update was made.
type Store interface {
	// Load returns what holds.
	Load(ctx context.Context) (Snapshot, error)
	// Update replaces what holds by what change makes of it, as one step for all
	// replicas; change may be called several times, and must not keep what it is
	// given. Its error ends the update and is returned as it is. What it returns
	// is as if set now, but for Age and Left.
	Update(ctx context.Context, change func([]Override) ([]Override, error)) (Snapshot, error)
}
