package limiter

import (
	"cmp"
	"slices"
	"strings"
)

// maxCallers is how many callers an [Ask] tells of.
const maxCallers = 64

// otherCallers stands for those beyond. It is no name that a configuration
// accepts.
const otherCallers = "*"

// uses tells about all callers, sorted by caller and class.
func (q *queue) uses(now moment, slots bool) []Use {
	callers := make([]*queueCaller, 0, len(q.callers))
	for _, c := range q.callers {
		if !c.idle() {
			callers = append(callers, c)
		}
	}
	var rest []*queueCaller
	if len(callers) > maxCallers {
		slices.SortFunc(callers, func(a, b *queueCaller) int {
			return cmp.Or(cmp.Compare(b.waiting, a.waiting), cmp.Compare(b.spent(), a.spent()), strings.Compare(a.name, b.name))
		})
		callers, rest = callers[:maxCallers-1], callers[maxCallers-1:]
	}
	slices.SortFunc(callers, func(a, b *queueCaller) int { return strings.Compare(a.name, b.name) })
	list := foldUses(rest, now, slots) // its name is before all others
	for _, c := range callers {
		for i := range c.lanes {
			if !c.lanes[i].idle() {
				list = append(list, c.lanes[i].use(now, slots))
			}
		}
	}
	return list
}

// foldUses tells about many callers as if they were one.
func foldUses(callers []*queueCaller, now moment, slots bool) []Use {
	var sums [Classes]Use
	for _, c := range callers {
		for i := range c.lanes {
			u, sum := c.lanes[i].use(now, slots), &sums[i]
			sum.Waiting += u.Waiting
			sum.Urgent += u.Urgent
			sum.Spent += u.Spent
			sum.Arrived += u.Arrived
			sum.Oldest = max(sum.Oldest, u.Oldest)
		}
	}
	var list []Use
	for i, sum := range sums {
		if sum != (Use{}) {
			sum.Caller, sum.Class = otherCallers, Class(i)
			list = append(list, sum)
		}
	}
	return list
}

func (c *queueCaller) idle() bool {
	for i := range c.lanes {
		if !c.lanes[i].idle() {
			return false
		}
	}
	return true
}
