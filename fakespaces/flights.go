package fakespaces

import "context"

// delivery tells what became of an answer.
type delivery int

const (
	unanswered delivery = iota // there is no such answer, or it is not yet written
	delivered
	lost
)

// flight is one refresh between its arrival and the end of its answer. It is
// how the service knows which refreshes overlap and which answers arrived.
type flight struct {
	sent     *refreshToken // nil in calls that are no refresh of a known grant
	replaced *refreshToken // the token that this call's answer replaces, if any
	gone     <-chan struct{}
	writing  bool          // the client may have the answer, but that is not yet recorded
	landed   chan struct{} // closed at the end
}

// arrive counts a call and notes what it carries.
//
// A refresh waits here while another answer of its grant is being written: a
// client that has just read that answer can be here before the writer has
// recorded that it arrived, and would be counted as a concurrent, or harmless,
// repetition.
func (s *Service) arrive(ctx context.Context, call *Call) *flight {
	s.mutex.Lock()
	defer s.mutex.Unlock()

	sent := s.refreshTokens[call.Form.Get("refresh_token")]
	f := &flight{gone: call.gone, landed: make(chan struct{})}
	if sent != nil && call.Operation == OperationRefresh {
		s.awaitWriters(ctx, sent.grant)
		s.countRefresh(sent)
		f.sent = sent
		sent.grant.flights[f] = struct{}{}
	}
	s.describe(call, sent)
	s.counts.arrive(call)
	for _, secret := range call.presented() {
		s.secrets.note(secret)
	}
	return f
}

// awaitWriters returns, with the lock held as before, once no answer of the
// grant is being written or the client has left.
func (s *Service) awaitWriters(ctx context.Context, g *grant) {
	for ctx.Err() == nil {
		writer := g.writer()
		if writer == nil {
			return
		}
		s.mutex.Unlock()
		select {
		case <-writer.landed:
		case <-ctx.Done():
		}
		s.mutex.Lock()
	}
}

func (g *grant) writer() *flight {
	for f := range g.flights {
		if f.writing {
			return f
		}
	}
	return nil
}

// countRefresh counts what a well-behaved client does not do: repeat a spent
// token, or refresh a grant while a refresh of it is under way. A flight whose
// client has left is not under way any more.
func (s *Service) countRefresh(sent *refreshToken) {
	switch {
	case !sent.spent:
	case sent.replacement == delivered:
		s.counts.sentAgainAfterDelivery++
	case sent.replacement == lost:
		s.counts.replaysOfLostAnswers++
	default:
		sent.waiting++
	}
	for f := range sent.grant.flights {
		select {
		case <-f.gone:
		default:
			s.counts.concurrentRefreshes++
			return
		}
	}
}

// describe adds what the service knows of the tokens in a call.
func (s *Service) describe(call *Call, sent *refreshToken) {
	s.counts.calls++
	call.Number = s.counts.calls
	var owner *grant
	if sent != nil {
		owner = sent.grant
	} else if known := s.accessTokens[call.bearer()]; known != nil {
		owner = known.grant
	}
	if owner == nil {
		return
	}
	call.GrantID = owner.id
	if call.Username == "" {
		call.Username = owner.user
	}
}

// take marks that the answer's first byte is about to leave.
func (s *Service) take(f *flight) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	f.writing = true
}

// settle records what became of the answer and ends the flight. The first
// outcome stands.
func (s *Service) settle(f *flight, outcome delivery) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	select {
	case <-f.landed:
		return
	default:
		close(f.landed)
	}
	if f.sent != nil {
		delete(f.sent.grant.flights, f)
	}
	// Several answers can replace one token, within the grace period. Once one
	// of them has arrived, the client has no excuse any more.
	if f.replaced == nil || f.replaced.replacement == delivered {
		return
	}
	f.replaced.replacement = outcome
	if outcome == lost {
		s.counts.replaysOfLostAnswers += f.replaced.waiting
	}
	f.replaced.waiting = 0
}
