package gate

import (
	"container/list"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
)

// neighbourhood is for how long a namespace that called a host counts as one that calls it.
const neighbourhood = time.Hour

// namespace is what a host knows of one.
type namespace struct {
	name string
	line line
	// inRound and inUrgent are its elements in the rounds, nil while nobody waits.
	inRound, inUrgent *list.Element
	// called is when a call of it ended last, worked when a grant of it worked last.
	called, worked time.Time
	// owedNext is when the next owed call may be made while it is held.
	owedNext time.Time
	// held is what it was told.
	held hold
}

// isThere tells that a namespace waits, or that it called not long ago.
func (n *namespace) isThere(now time.Time) bool {
	return len(n.line) > 0 || backoff.Within(now, n.called.Add(neighbourhood), neighbourhood)
}
