package fakespaces

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Ledger is what happened since the Service was made: a snapshot, which does
// not change any more. There is no secret in it.
type Ledger struct {
	// TokensIssued counts the access tokens minted, those of guests included,
	// whether or not the answer arrived.
	TokensIssued int `json:"tokensIssued"`
	// GuestsIssued counts the guests made, whether or not the answer arrived.
	// They have no grant.
	GuestsIssued int `json:"guestsIssued"`
	// GrantsIssued counts grants of every origin; GrantsLive, GrantsRevoked
	// (by the client) and GrantsDead (by the service) add up to it.
	GrantsIssued  int `json:"grantsIssued"`
	GrantsLive    int `json:"grantsLive"`
	GrantsRevoked int `json:"grantsRevoked"`
	GrantsDead    int `json:"grantsDead"`
	// DeadReasons counts the dead grants by why: ReasonReuseDetected and so on.
	DeadReasons map[string]int `json:"deadReasons"`
	// SentAgainAfterDelivery counts refresh tokens sent again, in a refresh,
	// after an answer that replaced them by another one had been delivered:
	// wholly written and flushed to a client that had not left before. Replays
	// within the grace period count too. It is a mistake of the client.
	SentAgainAfterDelivery int `json:"sentAgainAfterDelivery"`
	// CodesSentAgainAfterDelivery counts authorization codes sent again after
	// the answer with the tokens had been delivered, in the same sense. It is a
	// mistake of the client too.
	CodesSentAgainAfterDelivery int `json:"codesSentAgainAfterDelivery"`
	// ReplaysOfLostAnswers counts refresh tokens and codes sent again where no
	// such answer arrived. It is the only thing a client can do then.
	ReplaysOfLostAnswers int `json:"replaysOfLostAnswers"`
	// ConcurrentRefreshes counts refreshes that arrived while another of the
	// same grant was in flight, its client still waiting.
	ConcurrentRefreshes int `json:"concurrentRefreshes"`
	// Refused counts refusals by the error code in the answer, those that a
	// Fault ordered included.
	Refused map[string]int `json:"refused"`
	// CallsByUser counts calls by the user they name, or whose token they
	// carry. Calls that do neither are left out.
	CallsByUser map[string]int `json:"callsByUser"`
	// Calls counts calls by what they ask, those cut off included.
	Calls map[Operation]int `json:"calls"`
	// Grants tells of each grant, oldest first.
	Grants []GrantRecord `json:"grants"`
}

// GrantRecord is the Ledger's entry for one grant.
type GrantRecord struct {
	ID     string `json:"id"`     // grant-1 for the first
	Client string `json:"client"` // client ID
	User   string `json:"user"`
	// Origin is how it began: password, authorization_code or seed.
	Origin string     `json:"origin"`
	Scopes []string   `json:"scopes"`
	State  GrantState `json:"state"`
	Reason string     `json:"reason,omitempty"` // why it is dead
	// IssuedAt is the time of the sign-in, RefreshedAt of the last renewal and
	// EndedAt of revocation or death, all by the service's clock; the latter
	// two are zero, and absent from JSON, where there was none.
	IssuedAt    time.Time `json:"issuedAt"`
	RefreshedAt time.Time `json:"refreshedAt,omitzero"`
	EndedAt     time.Time `json:"endedAt,omitzero"`
	// Refreshes counts renewals, replays within the grace period included.
	Refreshes int `json:"refreshes"`
	// TokensIssued counts its access tokens.
	TokensIssued int `json:"tokensIssued"`
	// SentAgainAfterDelivery, CodeSentAgainAfterDelivery and ConcurrentRefreshes
	// are its part of the Ledger's counts.
	SentAgainAfterDelivery     int `json:"sentAgainAfterDelivery,omitempty"`
	CodeSentAgainAfterDelivery int `json:"codeSentAgainAfterDelivery,omitempty"`
	ConcurrentRefreshes        int `json:"concurrentRefreshes,omitempty"`
}

// counts are the parts of the Ledger that cannot be told from the grants.
type counts struct {
	calls                       int
	tokensIssued                int
	guestsIssued                int
	sentAgainAfterDelivery      int
	codesSentAgainAfterDelivery int
	replaysOfLostAnswers        int
	concurrentRefreshes         int
	refused                     map[string]int
	byUser                      map[string]int
	byOperation                 map[Operation]int
}

func newCounts() counts {
	return counts{
		refused:     map[string]int{},
		byUser:      map[string]int{},
		byOperation: map[Operation]int{},
	}
}

func (c *counts) arrive(call *Call) {
	c.byOperation[call.Operation]++
	if call.Username != "" {
		c.byUser[call.Username]++
	}
}

// Ledger tells what happened so far.
func (s *Service) Ledger() Ledger {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.endOverdue()
	l := Ledger{
		TokensIssued:                s.counts.tokensIssued,
		GuestsIssued:                s.counts.guestsIssued,
		GrantsIssued:                len(s.grants),
		DeadReasons:                 map[string]int{},
		SentAgainAfterDelivery:      s.counts.sentAgainAfterDelivery,
		CodesSentAgainAfterDelivery: s.counts.codesSentAgainAfterDelivery,
		ReplaysOfLostAnswers:        s.counts.replaysOfLostAnswers,
		ConcurrentRefreshes:         s.counts.concurrentRefreshes,
		Refused:                     maps.Clone(s.counts.refused),
		CallsByUser:                 maps.Clone(s.counts.byUser),
		Calls:                       maps.Clone(s.counts.byOperation),
		Grants:                      make([]GrantRecord, 0, len(s.grants)),
	}
	for _, g := range s.grants {
		l.Grants = append(l.Grants, g.record())
		switch g.state {
		case GrantLive:
			l.GrantsLive++
		case GrantRevoked:
			l.GrantsRevoked++
		case GrantDead:
			l.GrantsDead++
			l.DeadReasons[g.reason]++
		}
	}
	return l
}

func (g *grant) record() GrantRecord {
	return GrantRecord{
		ID:           g.id,
		Client:       g.client,
		User:         g.user,
		Origin:       g.origin,
		Scopes:       slices.Clone(g.scopes),
		State:        g.state,
		Reason:       g.reason,
		IssuedAt:     g.issuedAt,
		RefreshedAt:  g.refreshedAt,
		EndedAt:      g.endedAt,
		Refreshes:    g.refreshes,
		TokensIssued: g.minted,

		SentAgainAfterDelivery:     g.sentAgain,
		CodeSentAgainAfterDelivery: g.codeSentAgain,
		ConcurrentRefreshes:        g.concurrent,
	}
}

// String is a summary, one "name: number" a line.
func (l Ledger) String() string {
	var text strings.Builder
	for _, line := range []struct {
		name   string
		number int
	}{
		{"tokens issued", l.TokensIssued},
		{"guests issued", l.GuestsIssued},
		{"grants issued", l.GrantsIssued},
		{"grants revoked", l.GrantsRevoked},
		{"grants dead", l.GrantsDead},
		{"grants left", l.GrantsLive},
		{"refresh tokens sent again after their answer was delivered", l.SentAgainAfterDelivery},
		{"codes sent again after their answer was delivered", l.CodesSentAgainAfterDelivery},
		{"replays of lost answers", l.ReplaysOfLostAnswers},
		{"concurrent refreshes of one grant", l.ConcurrentRefreshes},
	} {
		fmt.Fprintf(&text, "%s: %d\n", line.name, line.number)
	}
	return text.String()
}
