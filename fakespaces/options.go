package fakespaces

import (
	"io"
	"time"
)

// Option is given to [New].
type Option func(*Service)

// WithNow gives the clock by which tokens live and die; the default is
// time.Now. It is called with the Service's lock held, so it must not call the
// Service.
func WithNow(now func() time.Time) Option {
	return func(s *Service) { s.now = now }
}

// WithRandom gives the source of tokens, IDs and chance; the default is
// crypto/rand. It must not end. A seeded source makes a run repeatable. It is
// read with the Service's lock held.
func WithRandom(random io.Reader) Option {
	return func(s *Service) { s.random = random }
}

// WithClient registers an application: its client ID and client secret (vendor
// page register). May be given often. An empty secret makes a public client (RFC 6749
// section 2.1), whose codes need PKCE; the vendor's pages do not speak of such.
func WithClient(id, secret string) Option {
	return func(s *Service) { s.AddClient(id, secret) }
}

// WithRedirectURI registers an address to which a browser may be sent back with
// a code for a client. May be given often; it is compared byte by byte, so a
// slash at the end counts. A client for which none is registered may use any
// absolute address. The vendor's pages do not say how strict the service is.
func WithRedirectURI(clientID, uri string) Option {
	return func(s *Service) { s.AddRedirectURI(clientID, uri) }
}

// WithUser makes a person, or a bot, who can sign in. May be given often.
func WithUser(username, password string) Option {
	return func(s *Service) { s.AddUser(username, password) }
}

// WithTokenLifetime sets how long access tokens live; the default is one hour
// (vendor page authorizingrequests). Answers tell it in whole seconds, rounded
// down, as expires_in.
func WithTokenLifetime(lifetime time.Duration) Option {
	return func(s *Service) { s.SetTokenLifetime(lifetime) }
}

// WithGuestLifetime sets how long the tokens of guests live; the default is 24
// hours (vendor page authorizingrequests). The token tells it, as exp, in whole
// seconds.
func WithGuestLifetime(lifetime time.Duration) Option {
	return func(s *Service) { s.SetGuestLifetime(lifetime) }
}

// WithGrantLifetime sets in what time from the sign-in a grant ends, renewed
// or not; the default, 0, is never. Its answers tell what is left of it, in
// whole seconds, as refresh_token_expires_in. With the grant its tokens end.
// The vendor's pages do not say.
func WithGrantLifetime(lifetime time.Duration) Option {
	return func(s *Service) { s.SetGrantLifetime(lifetime) }
}

// WithGrantsLiveAnew sets whether each renewal gives its grant, if it has an
// end, the whole grant lifetime again; the default is false.
func WithGrantsLiveAnew(anew bool) Option {
	return func(s *Service) { s.SetGrantsLiveAnew(anew) }
}

// WithGrantsPerUser limits the grants of a user, of whatever client: each new
// one ends the oldest that is one too many, with its tokens. The default, 0, is
// no limit. The vendor's pages do not say.
func WithGrantsPerUser(most int) Option {
	return func(s *Service) { s.SetGrantsPerUser(most) }
}

// WithReplicationDelay sets how long GET /api/users/me answers 401 for a new
// access token, as if accounts and Spaces copied tokens between them and took
// their time; the default is 0. The vendor's pages do not say. A guest's token
// is made on the Spaces host and works at once.
func WithReplicationDelay(delay time.Duration) Option {
	return func(s *Service) { s.SetReplicationDelay(delay) }
}

// WithRotation sets what a renewal does with the refresh token; the default is
// [RotateAlways].
func WithRotation(rotation Rotation) Option {
	return func(s *Service) { s.SetRotation(rotation) }
}

// WithRefreshTokenLength makes refresh tokens at least that long, in bytes; the default is the
// length in the vendor's examples. RFC 6749 sets no limit.
func WithRefreshTokenLength(length int) Option {
	return func(s *Service) { s.refreshTokenLength = length }
}

// WithReuseDetection sets whether a spent refresh token that comes again kills
// the whole grant with all its access tokens (RFC 9700 section 4.14.2); the
// default is true. When false it is merely refused.
func WithReuseDetection(detect bool) Option {
	return func(s *Service) { s.SetReuseDetection(detect) }
}

// WithGracePeriod sets for how long a replaced refresh token may be sent
// again. A replay within the period mints a new access token and gives the
// grant's current refresh token. The default, 0, allows none.
func WithGracePeriod(period time.Duration) Option {
	return func(s *Service) { s.SetGracePeriod(period) }
}

// WithFaultRate makes a share of the calls of an operation go wrong: 0.1 is
// one in ten. See [Service.SetFaultRate].
func WithFaultRate(op Operation, fault Fault, rate float64) Option {
	return func(s *Service) { s.SetFaultRate(op, fault, rate) }
}

// WithUnknownTokenStatus sets what the revocation of a token that is unknown,
// revoked already or of a dead grant answers: 200 (the default, as in RFC 7009
// section 2.2) or 400 with the code invalid_token. The vendor's pages do not
// say.
func WithUnknownTokenStatus(status int) Option {
	return func(s *Service) { s.SetUnknownTokenStatus(status) }
}

// WithAuthenticatedRevocation sets whether revocation keeps RFC 7009 section 2.1: the
// client must prove itself with its secret, by HTTP Basic or in the form, and the token
// stands in the field token. The default is false, the vendor's way: the client ID and the
// field refresh_token are enough.
func WithAuthenticatedRevocation(authenticated bool) Option {
	return func(s *Service) { s.SetAuthenticatedRevocation(authenticated) }
}

// WithTokensOutliveRevocation sets whether the access tokens of a revoked
// grant work until they expire; the default is false, they die at once. The
// vendor's pages do not say. A grant killed in another way always takes its
// tokens with it.
func WithTokensOutliveRevocation(outlive bool) Option {
	return func(s *Service) { s.SetTokensOutliveRevocation(outlive) }
}

// WithTokensEndAtRotation sets whether a refresh ends the access tokens that its
// grant gave before. The default is false: they work until they expire. Many
// servers end them; the vendor's pages do not say.
func WithTokensEndAtRotation(end bool) Option {
	return func(s *Service) { s.SetTokensEndAtRotation(end) }
}

// WithRetryAfter sets the wait that the throttling faults ask for; the default
// is 30 seconds. It is told in whole seconds.
func WithRetryAfter(wait time.Duration) Option {
	return func(s *Service) { s.SetRetryAfter(wait) }
}

// WithStall bounds how long [FaultSlowBody] keeps a client waiting, by the
// wall clock; the default is 30 seconds. It ends early when the client leaves.
func WithStall(limit time.Duration) Option {
	return func(s *Service) { s.stall = limit }
}
