package tokencache

import (
	"context"
	"time"
)

// clockDoubt is by how much a time of the Store may be wrong on this clock.
const clockDoubt = 100 * time.Millisecond

// learn takes over what the Store shows of key, as far as it is newer than
// what this process knows. The Store was asked at the given time. It lacks
// refusals that this process knows of, or not.
func (e *entry) learn(ctx context.Context, key StoreKey, s Shared, asked time.Time) (lacks bool) {
	e.mu.Lock()
	if e.droppedAt.After(asked) { // an operator has dropped what it shows
		s.Generation, s.Token = 0, SharedToken{}
	}
	l := e.learnLocked(time.Now(), key, s)
	lacks = key == e.key && len(e.history.Refusals) > len(s.History.Refusals)
	e.mu.Unlock()
	if l.rollback != nil {
		e.cache.options.Hooks.rolledBack(*l.rollback)
	}
	if l.own != nil {
		e.shared(ctx, l.own, s.Generation)
	}
	if l.adopted != nil {
		e.cache.options.Hooks.adopted(AdoptInfo{
			ID: e.id, Generation: s.Generation, Holder: l.adopted.holder, Expires: l.adopted.life.expires,
		})
	}
	e.tidyFile()
	return lacks
}

// lesson is what somebody must be told of, once no lock is held.
type lesson struct {
	rollback *RollbackInfo
	adopted  *token // of another replica
	own      *token // that the Store has after all
}

func (e *entry) learnLocked(now time.Time, key StoreKey, s Shared) lesson {
	if key != e.key {
		return lesson{} // the secrets have changed since it was asked
	}
	l := lesson{rollback: e.rollbackLocked(s)}
	if l.rollback != nil && l.rollback.Ignored {
		return l
	}
	current := e.current.Load()
	if current != nil && current.key != key {
		current = nil // of earlier secrets
	}
	e.setHistoryLocked(merge(e.history, s.History, e.clearedLocked(current, s), now))
	switch {
	case s.Generation == 0 || !s.Token.sound():
	case current != nil && current.shared.Load() == s.Generation && l.rollback == nil:
		if s.Accepted {
			current.accepted.Store(true)
		}
	case current != nil && current.field.Equal(s.Token.Field): // the answer to Grant was lost
		l.own = current
	case s.Generation > e.seen.generation || l.rollback != nil:
		l.adopted = e.adoptLocked(now, key, s)
	}
	return l
}

// rollbackLocked tells an old state from a new count, nil = neither: the token
// of a Store that has lost its state has a low generation, but is a new one.
func (e *entry) rollbackLocked(s Shared) *RollbackInfo {
	if s.Generation == 0 || s.Generation > e.seen.generation {
		return nil
	}
	anew := s.Token.Issued.After(e.seen.issued.Add(clockDoubt))
	if s.Generation == e.seen.generation && !anew {
		return nil
	}
	return &RollbackInfo{ID: e.id, Generation: s.Generation, Seen: e.seen.generation, Ignored: !anew}
}

// clearedLocked returns the moment until which failures are forgotten: the
// last success, or an operator's word.
func (e *entry) clearedLocked(current *token, s Shared) time.Time {
	cleared := latest(e.forgiven, s.Forgiven)
	if s.Generation != 0 {
		cleared = latest(cleared, s.Token.Issued)
	}
	if current != nil {
		cleared = latest(cleared, current.life.issued)
	}
	return cleared
}

// adoptLocked makes a shared token the current one, with this replica's own
// moment of renewal; nil when it is of no use any more.
func (e *entry) adoptLocked(now time.Time, key StoreKey, s Shared) *token {
	issued := past(s.Token.Issued, now)
	e.seen = seen{s.Generation, issued}
	t := &token{
		field: s.Token.Field, refresh: s.Token.Refresh, key: key, account: e.secrets.account(), holder: s.Token.Holder,
		life: newLife(issued, s.Token.Expires.Sub(issued), e.cred.RefreshAhead, e.cache.options.Random()),
	}
	t.shared.Store(s.Generation)
	if s.Accepted {
		t.accepted.Store(true)
		t.told.Store(s.Generation)
	}
	if !t.usable(now) {
		return nil
	}
	e.installLocked(t)
	return t
}
