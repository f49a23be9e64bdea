package controllers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
)

// longestLoginWait is the longest that a password is left alone after an unclear answer.
const longestLoginWait = time.Hour

// logins remembers which user names and passwords had an unclear answer of a host, by keyed hash.
// Many credentials may share one; together they must not have the account locked.
type logins struct {
	mu    sync.Mutex
	key   [sha256.Size]byte
	until map[[sha256.Size]byte]time.Time
}

// heldUntil is until when a sign-in by password has to wait because of another; zero where it
// need not.
func (l *logins) heldUntil(c call, now time.Time) time.Time {
	if !c.sendsPassword() {
		return time.Time{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := l.until[l.hash(c)]; backoff.Within(now, until, longestLoginWait) {
		return until
	}
	return time.Time{}
}

// heard tells when a sign-in by password is sent again whose answer was unclear; zero after any
// other answer.
func (l *logins) heard(c call, next, now time.Time) {
	if !c.sendsPassword() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for login, until := range l.until {
		if !backoff.Within(now, until, longestLoginWait) {
			delete(l.until, login)
		}
	}
	if next.IsZero() {
		delete(l.until, l.hash(c))
		return
	}
	l.until[l.hash(c)] = next
}

func (c call) sendsPassword() bool { return c.spend.By() == v1alpha1.GrantTypePassword }

// hash tells logins of hosts apart.
func (l *logins) hash(c call) (sum [sha256.Size]byte) {
	if l.until == nil {
		l.until = map[[sha256.Size]byte]time.Time{}
		_, _ = rand.Read(l.key[:]) // which never fails
	}
	mac := hmac.New(sha256.New, l.key[:])
	for _, part := range []string{gate.HostOf(c.client.Environment().AccountsURL), c.given.Username, c.given.Password.Reveal()} {
		hashed := sha256.Sum256([]byte(part))
		mac.Write(hashed[:])
	}
	mac.Sum(sum[:0])
	return sum
}
