package fakespaces

import "context"

// delivery tells what became of an answer.
type delivery int

const (
	unanswered delivery = iota // there is no such answer, or it is not yet written
	delivered
	lost
)

// fate is what became of the answer for which something that works once, a
// refresh token or a code, was spent.
type fate struct {
	outcome delivery
	waiting int // what was sent again before the outcome was known
}

// flight is one call between its arrival and the end of its answer. It is how
// the service knows which refreshes overlap and which answers arrived.
type flight struct {
	among   flights // those of the same grant or code; nil in calls that are neither's
	fate    *fate   // what the end of this call decides, if anything
	gone    <-chan struct{}
	writing bool          // the client may have the answer, but that is not yet recorded
	landed  chan struct{} // closed at the end
}

// flights are the calls in flight that spend the refresh tokens of one grant,
// or one code.
type flights map[*flight]struct{}

// arrive counts a call and notes what it carries.
//
// A refresh waits here while another answer of its grant is being written, and
// an exchange while another one of its code is: a client that has just read
// that answer can be here before the writer has recorded that it arrived, and
// would be counted as a concurrent, or harmless, repetition.
func (s *Service) arrive(ctx context.Context, call *Call) *flight {
	s.mutex.Lock()
	defer s.mutex.Unlock()

	f := &flight{gone: call.gone, landed: make(chan struct{})}
	if sent := s.refreshTokens[call.Form.Get("refresh_token")]; sent != nil && call.Operation == OperationRefresh {
		s.awaitWriters(ctx, sent.grant.flights)
		s.countRefresh(sent)
		f.join(sent.grant.flights)
	}
	if sent := s.codes[call.Form.Get("code")]; sent != nil && call.Operation == OperationAuthorizationCode {
		s.awaitWriters(ctx, sent.flights)
		s.countExchange(sent)
		f.join(sent.flights)
	}
	s.describe(call)
	s.counts.arrive(call)
	for _, secret := range call.presented() {
		s.secrets.note(secret)
	}
	return f
}

func (f *flight) join(others flights) {
	f.among = others
	others[f] = struct{}{}
}

// awaitWriters returns, with the lock held as before, once none of the answers
// is being written or the client has left.
func (s *Service) awaitWriters(ctx context.Context, others flights) {
	for ctx.Err() == nil {
		writer := others.writer()
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

func (others flights) writer() *flight {
	for f := range others {
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
	if sent.spent {
		s.countReplay(&sent.replacement, &s.counts.sentAgainAfterDelivery, &sent.grant.sentAgain)
	}
	for f := range sent.grant.flights {
		select {
		case <-f.gone:
		default:
			s.counts.concurrentRefreshes++
			sent.grant.concurrent++
			return
		}
	}
}

// countExchange counts a code that is spent and comes again.
func (s *Service) countExchange(sent *code) {
	if sent.made != nil {
		s.countReplay(&sent.bought, &s.counts.codesSentAgainAfterDelivery, &sent.made.codeSentAgain)
	}
}

// countReplay judges the repetition of what was spent by what became of the
// answer for it: in all, and of the grant.
func (s *Service) countReplay(first *fate, afterDelivery, ofGrant *int) {
	switch first.outcome {
	case delivered:
		*afterDelivery++
		*ofGrant++
	case lost:
		s.counts.replaysOfLostAnswers++
	case unanswered:
		first.waiting++
	}
}

// describe adds what the service knows of the tokens in a call.
func (s *Service) describe(call *Call) {
	s.counts.calls++
	call.Number = s.counts.calls
	if shown := s.tickets[call.Form.Get("ticket")]; shown != nil && call.path == confirmPath {
		call.ClientID, call.Username = shown.client, shown.user
	}
	owner, user := s.ownerOf(call)
	if owner != nil {
		call.GrantID, user = owner.id, owner.user
	}
	if call.Username == "" {
		call.Username = user
	}
}

// ownerOf finds whose token a call carries: a grant's, or a user's without one.
func (s *Service) ownerOf(call *Call) (*grant, string) {
	_, token := call.credential()
	if sent := s.refreshTokens[call.Form.Get("refresh_token")]; sent != nil {
		return sent.grant, ""
	}
	if known := s.accessTokens[token]; known != nil {
		return known.grant, ""
	}
	if known := s.guests[token]; known != nil {
		return nil, known.username
	}
	_, signedFor := s.readIDToken(call.Query.Get("id_token"))
	return signedFor, ""
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
	delete(f.among, f)
	// Several answers can replace one token, within the grace period. Once one
	// of them has arrived, the client has no excuse any more.
	if f.fate == nil || f.fate.outcome == delivered {
		return
	}
	f.fate.outcome = outcome
	if outcome == lost {
		s.counts.replaysOfLostAnswers += f.fate.waiting
	}
	f.fate.waiting = 0
}
