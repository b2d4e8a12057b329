package cache

// outdone reports whether the answer to a later request is stored already.
func (m *memory) outdone(o *Object) bool {
	r, ok := m.store.GetIfPresent(o.Key)
	return ok && r.outdoes(o)
}

// outdoes reports whether a resource has the answer to a later request than o's:
// a body that took its time must not replace what came after it. One whose fetch
// began before more was dropped outdoes nothing.
func (r *resource) outdoes(o *Object) bool {
	for _, v := range r.variants {
		if v.Selected == o.Selected {
			return v.Requested.After(o.Requested) && v.Born.Local >= o.Born.Local
		}
	}
	return false
}
