package gate

import (
	"container/heap"
	"container/list"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Class is how urgent a call is.
type Class int

// The classes, the most urgent first.
const (
	// Urgent is a deletion, or a token that has expired or will soon, unless the last try for
	// it failed.
	Urgent Class = iota
	// Renewal is of a token that is published.
	Renewal
	// First is of a token that nobody has yet, and whatever else has time.
	First
)

// Urgency says which of two calls comes first.
type Urgency struct {
	Class Class
	// Expires is when what the call holds up ends; of two in one class the sooner comes first.
	// Where nothing ends, who came first does.
	Expires time.Time
	// UrgentFrom is when a Renewal becomes Urgent; zero for never.
	UrgentFrom time.Time
}

// before tells that u comes before other, whoever came first.
func (u Urgency) before(other Urgency) bool {
	if u.Class != other.Class {
		return u.Class < other.Class
	}
	switch {
	case u.Expires.IsZero():
		return false
	case other.Expires.IsZero():
		return true
	}
	return u.Expires.Before(other.Expires)
}

// standing is what a place is good for at the moment.
type standing int

const (
	// rests: its caller does not ask. The place is kept for a while.
	rests standing = iota
	// waits: its turn has not come.
	waits
	// given: it holds a turn.
	given
)

// place is where a caller stands in the queue of a host.
type place struct {
	caller types.NamespacedName
	host   *host
	// number tells who came first, joined when that was.
	number uint64
	joined time.Time

	// environment names that of the call that was asked for last.
	environment string
	urgency     Urgency
	worked      time.Time
	owed        bool

	standing standing
	// since is since when it stands so.
	since time.Time
	// turn numbers the turns it had; pass is the pass that has the turn, asked the one that
	// asked last.
	turn, pass, asked uint64
	// begun tells that the turn does not lapse any more, sent that the rate has counted it.
	begun, sent bool

	element *list.Element
	// at and soon are its indexes in the heaps that it is in; -1 for none.
	at, soon int
}

var (
	_ heap.Interface = (*line)(nil)
	_ heap.Interface = (*ripening)(nil)
)

// first tells which of two places comes first in a line.
func first(a, b *place) bool {
	if x, y := a.urgency.before(b.urgency), b.urgency.before(a.urgency); x != y {
		return x
	}
	return a.number < b.number
}

// line is the heap of those of a namespace who wait for a host, the most urgent on top.
type line []*place

// Len, Less and Swap implement [heap.Interface].
func (l line) Len() int           { return len(l) }
func (l line) Less(i, j int) bool { return first(l[i], l[j]) }
func (l line) Swap(i, j int)      { l[i], l[j] = l[j], l[i]; l[i].at, l[j].at = i, j }

// Push implements [heap.Interface].
func (l *line) Push(p any) { p.(*place).at = len(*l); *l = append(*l, p.(*place)) }

// Pop implements [heap.Interface].
func (l *line) Pop() any {
	last := pop((*[]*place)(l))
	last.at = -1
	return last
}

// ripening is the heap of those that become urgent, the soonest on top.
type ripening []*place

// Len, Less and Swap implement [heap.Interface].
func (r ripening) Len() int { return len(r) }
func (r ripening) Less(i, j int) bool {
	return r[i].urgency.UrgentFrom.Before(r[j].urgency.UrgentFrom)
}
func (r ripening) Swap(i, j int) { r[i], r[j] = r[j], r[i]; r[i].soon, r[j].soon = i, j }

// Push implements [heap.Interface].
func (r *ripening) Push(p any) { p.(*place).soon = len(*r); *r = append(*r, p.(*place)) }

// Pop implements [heap.Interface].
func (r *ripening) Pop() any {
	last := pop((*[]*place)(r))
	last.soon = -1
	return last
}

func pop(from *[]*place) *place {
	last := len(*from) - 1
	p := (*from)[last]
	(*from)[last] = nil
	*from = (*from)[:last]
	return p
}
