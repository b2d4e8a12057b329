package proxy

import (
	"errors"
	"net/url"
	"slices"
)

// maxNeighbours bounds the further hosts of one upstream. Each credential has
// at most one; those that nobody asks any more make room.
const maxNeighbours = 16

var errPoolClosed = errors.New("the connection pool is closed")

// beside returns the pool of another host that stands for the same upstream:
// the one that the upstream's session prefers. It has the settings of p, its
// own dial rules, and lives no longer than p.
func (p *Pool) beside(origin *url.URL) (*Pool, error) {
	key := PoolKey{Environment: p.key.Environment, Origin: origin.String()}
	p.mu.RLock()
	if last := len(p.neighbours) - 1; last >= 0 && p.neighbours[last].key == key {
		found := p.neighbours[last]
		p.mu.RUnlock()
		return found, nil
	}
	p.mu.RUnlock()

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errPoolClosed
	}
	if i := slices.IndexFunc(p.neighbours, func(n *Pool) bool { return n.key == key }); i >= 0 {
		found := p.neighbours[i]
		p.neighbours = append(slices.Delete(p.neighbours, i, i+1), found)
		return found, nil
	}
	opened, err := p.owner.Open(key, p.settings)
	if err != nil {
		return nil, err
	}
	if len(p.neighbours) == maxNeighbours {
		p.neighbours[0].Close()
		p.neighbours = slices.Delete(p.neighbours, 0, 1)
	}
	p.neighbours = append(p.neighbours, opened)
	return opened, nil
}
