package fakespaces

import (
	"fmt"
	"net/http"
	"time"
)

// Rotation says what a renewal does with the refresh token.
type Rotation string

const (
	// RotateAlways gives a new refresh token with each renewal; the one that
	// was sent is spent.
	RotateAlways Rotation = "always"
	// RotateNever gives the same refresh token back.
	RotateNever Rotation = "never"
	// RotateOmitted gives none back; the one that was sent stays good (RFC 6749
	// section 6).
	RotateOmitted Rotation = "omitted"
)

func (r Rotation) check() error {
	switch r {
	case RotateAlways, RotateNever, RotateOmitted:
		return nil
	}
	return fmt.Errorf("unknown rotation %q: want always, never or omitted", string(r))
}

const (
	defaultTokenLifetime = time.Hour
	defaultGuestLifetime = 24 * time.Hour
	defaultRetryAfter    = 30 * time.Second
	defaultStall         = 30 * time.Second
)

// settings are the switches that can be turned while the service serves.
type settings struct {
	tokenLifetime           time.Duration
	guestLifetime           time.Duration
	grantLifetime           time.Duration
	grantsLiveAnew          bool
	grantsPerUser           int
	replicationDelay        time.Duration
	rotation                Rotation
	reuseDetection          bool
	gracePeriod             time.Duration
	unknownTokenStatus      int
	authenticatedRevocation bool
	tokensOutliveRevocation bool
	tokensEndAtRotation     bool
	retryAfter              time.Duration
	down                    bool
}

func defaultSettings() settings {
	return settings{
		tokenLifetime:      defaultTokenLifetime,
		guestLifetime:      defaultGuestLifetime,
		rotation:           RotateAlways,
		reuseDetection:     true,
		unknownTokenStatus: http.StatusOK,
		retryAfter:         defaultRetryAfter,
	}
}

// SetTokenLifetime is [WithTokenLifetime] while serving; tokens minted before
// keep the lifetime they were told.
func (s *Service) SetTokenLifetime(lifetime time.Duration) {
	s.change(func() { s.settings.tokenLifetime = lifetime })
}

// SetGuestLifetime is [WithGuestLifetime] while serving; guests made before
// keep the lifetime they were told.
func (s *Service) SetGuestLifetime(lifetime time.Duration) {
	s.change(func() { s.settings.guestLifetime = lifetime })
}

// SetGrantLifetime is [WithGrantLifetime] while serving; grants made before
// keep the end they were told, or none.
func (s *Service) SetGrantLifetime(lifetime time.Duration) {
	s.change(func() { s.settings.grantLifetime = lifetime })
}

// SetGrantsLiveAnew is [WithGrantsLiveAnew] while serving.
func (s *Service) SetGrantsLiveAnew(anew bool) {
	s.change(func() { s.settings.grantsLiveAnew = anew })
}

// SetGrantsPerUser is [WithGrantsPerUser] while serving; it counts when the
// next grant is made. It panics on a negative number.
func (s *Service) SetGrantsPerUser(most int) {
	mustBe(checkGrantsPerUser(most))
	s.change(func() { s.settings.grantsPerUser = most })
}

func checkGrantsPerUser(most int) error {
	if most < 0 {
		return fmt.Errorf("%d grants for a user: want 0 or more", most)
	}
	return nil
}

// SetReplicationDelay is [WithReplicationDelay] while serving; it holds for
// tokens minted before, too.
func (s *Service) SetReplicationDelay(delay time.Duration) {
	s.change(func() { s.settings.replicationDelay = delay })
}

// SetRotation is [WithRotation] while serving. It panics on an unknown
// Rotation.
func (s *Service) SetRotation(rotation Rotation) {
	mustBe(rotation.check())
	s.change(func() { s.settings.rotation = rotation })
}

// SetReuseDetection is [WithReuseDetection] while serving.
func (s *Service) SetReuseDetection(detect bool) {
	s.change(func() { s.settings.reuseDetection = detect })
}

// SetGracePeriod is [WithGracePeriod] while serving.
func (s *Service) SetGracePeriod(period time.Duration) {
	s.change(func() { s.settings.gracePeriod = period })
}

// SetUnknownTokenStatus is [WithUnknownTokenStatus] while serving. It panics
// on a status other than 200 and 400.
func (s *Service) SetUnknownTokenStatus(status int) {
	mustBe(checkUnknownTokenStatus(status))
	s.change(func() { s.settings.unknownTokenStatus = status })
}

func checkUnknownTokenStatus(status int) error {
	if status != http.StatusOK && status != http.StatusBadRequest {
		return fmt.Errorf("status %d for unknown tokens: want 200 or 400", status)
	}
	return nil
}

// SetAuthenticatedRevocation is [WithAuthenticatedRevocation] while serving.
func (s *Service) SetAuthenticatedRevocation(authenticated bool) {
	s.change(func() { s.settings.authenticatedRevocation = authenticated })
}

// SetTokensEndAtRotation is [WithTokensEndAtRotation] while serving.
func (s *Service) SetTokensEndAtRotation(end bool) {
	s.change(func() { s.settings.tokensEndAtRotation = end })
}

// SetTokensOutliveRevocation is [WithTokensOutliveRevocation] while serving.
func (s *Service) SetTokensOutliveRevocation(outlive bool) {
	s.change(func() { s.settings.tokensOutliveRevocation = outlive })
}

// SetRetryAfter is [WithRetryAfter] while serving.
func (s *Service) SetRetryAfter(wait time.Duration) {
	s.change(func() { s.settings.retryAfter = wait })
}

// Down makes the whole service unreachable when given true: every call is cut
// off before any work, as with [FaultLostBefore]. Calls that have done their
// work already still get their answer; calls are counted, and interceptors see
// them, all the same. Given false, it ends that.
func (s *Service) Down(down bool) {
	s.change(func() { s.settings.down = down })
}

// AddClient registers an application, or gives a known one a new secret. An empty secret
// makes a public client: see [WithClient].
func (s *Service) AddClient(id, secret string) {
	s.change(func() {
		s.clients[id] = secret
		s.secrets.note(secret)
	})
}

// SetClientSecret is AddClient under the name of what it does to a client that
// exists: the old secret is refused from now on, and grants live on.
func (s *Service) SetClientSecret(id, secret string) { s.AddClient(id, secret) }

// AddUser makes a user who can sign in, or gives a known one a new password.
func (s *Service) AddUser(username, password string) {
	s.change(func() {
		s.users[username] = password
		s.secrets.note(password)
	})
}

// SetPassword is AddUser under the name of what it does to a user who exists:
// the old password is refused from now on. Grants live on; a service that ends
// them on a password change is played with [Service.RevokeGrantOf].
func (s *Service) SetPassword(username, password string) { s.AddUser(username, password) }

func (s *Service) change(turn func()) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	turn()
}

// mustBe ends the program on a mistake in the program's own text, such as a
// misspelled fault.
func mustBe(err error) {
	if err != nil {
		panic("fakespaces: " + err.Error())
	}
}
