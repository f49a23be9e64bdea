package grantstate

import "time"

const (
	// warnedShare is the share of its life that a grant has left when people are warned of its end.
	warnedShare = 7
	// endSlack is by how much two answers may differ that tell of one end: they tell whole seconds, and
	// take their time.
	endSlack = ClockJump
)

// End is when a grant ends at the service, whatever is done with it, as far as anybody has said. What
// follows from it the service decides: here it is only told.
type End struct {
	// Time is when, zero where nobody has said; Since is when it was said first. Between them is its life.
	Time  time.Time `json:"time,omitzero"`
	Since time.Time `json:"since,omitzero"`
	// IsTold tells that the service has said so, and not whoever runs the operator.
	IsTold bool `json:"told,omitempty"`
	// IsWarned tells that people were warned that it is near. They are warned of a grant once.
	IsWarned bool `json:"warned,omitempty"`
}

// warnTime is when people are warned.
func (e End) warnTime() time.Time { return e.Time.Add(-e.Time.Sub(e.Since) / warnedShare) }

// EndsAfter returns the spend in an environment whose grants live for so long, where their answers tell
// nothing of it; 0 is unknown.
func (s Spend) EndsAfter(usual time.Duration) Spend {
	s.usualLife = usual
	return s
}

// endsAsTold notes what an answer tells of the grant's end: in what time from its issue, 0 for nothing.
// A later answer may move it.
func (g *Grant) endsAsTold(issue time.Time, told, usual time.Duration) {
	end, since := time.Time{}, issue
	switch {
	case g.RefreshToken.Empty(): // it ends with its token
	case told > 0:
		end, g.End.IsTold = issue.Add(told), true
	case g.End.IsTold:
		return
	case usual > 0:
		end, since = g.StartTime.Add(usual), g.StartTime
	}
	if !end.IsZero() && !g.End.Time.IsZero() && end.Sub(g.End.Time).Abs() <= endSlack {
		return
	}
	g.End.Time, g.End.Since = end.UTC().Truncate(time.Second), since.UTC().Truncate(time.Second)
	if end.IsZero() {
		g.End.Time, g.End.Since = time.Time{}, time.Time{}
	}
}

// EndsSoon tells that people are to be warned of the end of the living grant, and were not yet.
func (d Document) EndsSoon(now time.Time) bool {
	g := d.grant
	return g != nil && g.Condition != Refused && !g.End.Time.IsZero() && !g.End.IsWarned && !now.Before(g.End.warnTime())
}

// WarnedOfEnd notes that people are warned.
func (d *Document) WarnedOfEnd() {
	if d.grant != nil {
		d.grant.End.IsWarned = true
	}
}

// wakes are the times at which there may be something new to tell of it.
func (e End) wakes() []time.Time {
	switch {
	case e.Time.IsZero():
		return nil
	case e.IsWarned:
		return []time.Time{e.Time}
	}
	return []time.Time{e.warnTime(), e.Time}
}
