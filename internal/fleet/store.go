package fleet

import (
	"context"
	"slices"
	"time"
)

// Bounds that every [Store] keeps.
const (
	// Silence is after how long without a beat a replica is a member no more.
	Silence = 3 * time.Second
	// Kept is how many commands a store holds for replicas that are behind.
	Kept = 100
	// KeptFor is for how long.
	KeptFor = time.Hour
	// Grace is how long a replica waits for what it needs to read commands, and
	// with them for all that follow: orchestrators take a minute to bring a key
	// to every machine.
	Grace = 2 * time.Minute
	// MaxPayload bounds a command's payload, in bytes.
	MaxPayload = 4096
)

// ID names a command and its place in the order of all. It is the microsecond
// of the store's clock (since 1970) at which it was sent, or one more than the
// last one's: so it compares with the start of a replica, and commands sent
// after the store lost everything still come after those from before.
type ID int64

// idAt returns the place of an instant of the store's clock in the order.
func idAt(t time.Time) ID { return ID(t.UnixMicro()) }

// Member is a replica as the others see it. Instants are of the store's clock.
type Member struct {
	Replica string    `json:"replica"` // a random id, in clear
	Version string    `json:"version"`
	Config  string    `json:"config,omitzero"` // names the configuration that it serves
	Started time.Time `json:"started"`
	Seen    time.Time `json:"seen"`            // its last beat
	Done    ID        `json:"done"`            // every command up to here is executed, or never will be
	Failed  []ID      `json:"failed,omitzero"` // the newest of those whose handler failed, at most Kept
}

// followed reports whether the member has executed the command successfully.
func (m Member) followed(id ID) bool { return m.Done >= id && !slices.Contains(m.Failed, id) }

// Command is what every replica is to do.
type Command struct {
	ID      ID
	From    string // replica that sent it
	Kind    string // which handler
	Payload []byte
	// Err says why the store cannot read it; it is then counted as failed.
	Err error
	// Later says that Err may pass, as when a key has not reached this replica
	// yet: the command waits for that, at most for [Grace].
	Later bool
}

// Beat is what a replica tells the others each second.
type Beat struct {
	// Member describes the replica. Its zero Started says that this is the
	// first beat: the store sets it, by Age. Seen is the store's to set.
	Member Member
	// Age is for how long the replica has been running.
	Age time.Duration
	// Want says that commands are to be answered; a replica that is still busy
	// with some wants no more.
	Want bool
	// Listen says the same of questions.
	Listen bool
}

// News is what the store answers to a [Beat].
type News struct {
	Started  time.Time // of this replica; to be sent with every later beat
	Now      time.Time // by the store's clock
	Members  int       // alive, this one included
	Commands []Command // after Member.Done, oldest first
	Latest   ID        // of the last command that was ever sent; 0 = none known
	// Missed says that some commands after Member.Done are kept no longer.
	Missed bool
	// Questions are for this replica, where the store is a [Mail].
	Questions []Question
}

// Store is what replicas share. Every call makes one trip (Append a few) and is
// bounded by the store itself; an error means that the replicas cannot reach
// each other now, and the next call is tried as if nothing had happened.
type Store interface {
	// Beat notes that a replica is alive and answers what is new for it: the
	// commands after Member.Done or, at first, after its start.
	Beat(ctx context.Context, beat Beat) (News, error)
	// Append adds a command behind all others and returns its ID; that of the
	// argument is ignored. After an error it may have been added all the same.
	Append(ctx context.Context, command Command) (ID, error)
	// Members returns the replicas that have beaten within [Silence], by name.
	Members(ctx context.Context) ([]Member, error)
	// Leave forgets a replica that ends.
	Leave(ctx context.Context, replica string) error
}
