package fakespaces

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// GrantState tells where a grant stands.
type GrantState string

const (
	// GrantLive can be renewed.
	GrantLive GrantState = "live"
	// GrantRevoked was ended by the client, at the revocation endpoint.
	GrantRevoked GrantState = "revoked"
	// GrantDead was ended by the service; the record says why.
	GrantDead GrantState = "dead"
)

// The reasons for which a grant dies, as Ledger.DeadReasons counts them.
const (
	// ReasonReuseDetected: a spent refresh token was sent again.
	ReasonReuseDetected = "reuse detected"
	// ReasonCodeReused: a spent authorization code was sent again (RFC 6749
	// section 4.1.2).
	ReasonCodeReused = "code sent again"
	// ReasonKilled: see [Service.RevokeGrantOf].
	ReasonKilled = "killed by administrator"
	// ReasonDisplaced: see [WithGrantsPerUser].
	ReasonDisplaced = "displaced by a newer grant"
	// ReasonTimeOver: see [WithGrantLifetime].
	ReasonTimeOver = "its time was over"
)

// grant is one sign-in and all tokens that came of it.
type grant struct {
	id           string
	client, user string
	origin       string // how it began: password, authorization_code, seed
	scopes       []string

	state                          GrantState
	reason                         string
	issuedAt, refreshedAt, endedAt time.Time
	endsAt                         time.Time // by its own time; zero for never
	refreshes, minted              int
	// mistakes of its client
	sentAgain, codeSentAgain, concurrent int
	current                              *refreshToken
	flights                              flights // its refreshes
}

// refreshToken is one refresh token ever given for a grant. It is spent once a
// renewal has replaced it.
type refreshToken struct {
	value   string
	grant   *grant
	spent   bool
	spentAt time.Time

	replacement fate // of the answer that replaced this token
}

type accessToken struct {
	number              int // of those that the grant gave, from 1
	grant               *grant
	issuedAt, expiresAt time.Time
}

// IssueGrant makes a grant as if the person had just signed in with a browser,
// and gives its refresh token. The client and the user need not be known
// (yet). Without scopes the grant has all three.
func (s *Service) IssueGrant(clientID, username string, scopes ...string) (refreshToken string) {
	if len(scopes) == 0 {
		scopes = allScopes()
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.newGrant(clientID, username, originSeed, slices.Clone(scopes)).current.value
}

// RevokeGrantOf kills the grant to which a refresh token, current or spent,
// belongs, as an administrator or the user can at the service. Its tokens stop
// working at once; the reason is [ReasonKilled]. An unknown token, or one of a
// grant that has ended already, changes nothing.
func (s *Service) RevokeGrantOf(refreshToken string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if known := s.refreshTokens[refreshToken]; known != nil {
		s.end(known.grant, GrantDead, ReasonKilled)
	}
}

// TokenWorks tells whether an access token, or a guest's token, is good now, by
// the service's own clock. One that is too young for the Spaces host
// ([WithReplicationDelay]) is good. It is not a call: nothing is counted.
func (s *Service) TokenWorks(token string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.endOverdue()
	return s.working(token) != nil || s.workingGuest(token) != nil
}

const (
	originPassword = "password"
	originCode     = "authorization_code"
	originSeed     = "seed"
)

func (s *Service) newGrant(client, user, origin string, scopes []string) *grant {
	made := &grant{
		id:       fmt.Sprintf("grant-%d", len(s.grants)+1),
		client:   client,
		user:     user,
		origin:   origin,
		scopes:   scopes,
		state:    GrantLive,
		issuedAt: s.now(),
		flights:  flights{},
	}
	s.liveAnew(made)
	s.displace(user)
	s.grants = append(s.grants, made)
	s.rotate(made)
	return made
}

// displace ends the oldest grants of a user who is to have another one than a
// user may have.
func (s *Service) displace(user string) {
	if s.settings.grantsPerUser == 0 {
		return
	}
	room := s.settings.grantsPerUser - 1
	for _, g := range slices.Backward(s.grants) {
		if g.user != user || g.state != GrantLive {
			continue
		}
		if room--; room < 0 {
			s.end(g, GrantDead, ReasonDisplaced)
		}
	}
}

// liveAnew gives a grant its lifetime from now on.
func (s *Service) liveAnew(g *grant) {
	if s.settings.grantLifetime > 0 {
		g.endsAt, s.haveEnds = s.now().Add(s.settings.grantLifetime), true
	}
}

// endOverdue ends the grants whose time is over.
func (s *Service) endOverdue() {
	if !s.haveEnds {
		return
	}
	now := s.now()
	for _, g := range s.grants {
		if !g.endsAt.IsZero() && !now.Before(g.endsAt) {
			s.end(g, GrantDead, ReasonTimeOver)
		}
	}
}

// rotate gives the grant a new refresh token.
func (s *Service) rotate(g *grant) {
	value := s.randomHex()
	value += strings.Repeat("0", max(0, s.refreshTokenLength-len(value)))
	g.current = &refreshToken{value: value, grant: g}
	s.refreshTokens[g.current.value] = g.current
	s.secrets.note(g.current.value)
}

// spend replaces a current refresh token by a new one.
func (s *Service) spend(sent *refreshToken) {
	sent.spent, sent.spentAt = true, s.now()
	s.rotate(sent.grant)
}

// mint gives the grant a new access token.
func (s *Service) mint(g *grant) string {
	value := s.randomHex()
	now := s.now()
	s.accessTokens[value] = &accessToken{grant: g, number: g.minted + 1, issuedAt: now, expiresAt: now.Add(s.settings.tokenLifetime)}
	s.secrets.note(value)
	s.counts.tokensIssued++
	g.minted++
	return value
}

// end ends a live grant; one that has ended keeps its first reason.
func (s *Service) end(g *grant, state GrantState, reason string) {
	if g.state != GrantLive {
		return
	}
	g.state, g.reason, g.endedAt = state, reason, s.now()
}

// working is the access token if it is good now, else nil.
func (s *Service) working(value string) *accessToken {
	known := s.accessTokens[value]
	if known == nil || !s.now().Before(known.expiresAt) {
		return nil
	}
	if s.settings.tokensEndAtRotation && known.number < known.grant.minted {
		return nil
	}
	switch known.grant.state {
	case GrantLive:
		return known
	case GrantRevoked:
		if s.settings.tokensOutliveRevocation {
			return known
		}
	case GrantDead: // its tokens died with it
	}
	return nil
}
