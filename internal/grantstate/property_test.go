package grantstate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// year is how far clocks jump here.
const year = 365 * 24 * time.Hour

// chances is a chance that is the same in every run.
type chances struct{ *rand.Rand }

func newChances(seed uint64) chances { return chances{rand.New(rand.NewPCG(seed, seed))} }

// upTo gives a duration below most; small ones are as likely as large ones.
func (s chances) upTo(most time.Duration) time.Duration {
	for range s.IntN(40) {
		most = most*2/3 + 1
	}
	return time.Duration(s.Int64N(int64(most)))
}

func (s chances) renewal() v1alpha1.Renewal {
	switch s.IntN(3) {
	case 0:
		return v1alpha1.Renewal{RenewBeforePercent: ptr.To(int32(5 + s.IntN(46)))}
	case 1:
		return v1alpha1.Renewal{RenewBeforeSeconds: ptr.To(int32(5 + s.IntN(604796)))}
	}
	return v1alpha1.Renewal{}
}

func TestAnyTokenIsRenewedInItsLife(t *testing.T) {
	chance := newChances(1)
	for range 100_000 {
		uid, renewal := types.UID(fmt.Sprint(chance.Uint64())), chance.renewal()
		at, lifetime := noon.Add(chance.upTo(10*year)), chance.upTo(10*year)
		issue, renew, expire := schedule(uid, renewal, at, lifetime)
		say := fmt.Sprintf("a token of %s at %s: issued %s, renewed %s, expired %s", lifetime, at, issue, renew.Sub(issue), expire.Sub(issue))
		lifetime = max(lifetime.Truncate(time.Second), time.Second)
		for _, moment := range []time.Time{issue, renew, expire} {
			if moment.Nanosecond() != 0 || moment.Location() != time.UTC {
				t.Fatalf("no whole second: %s", say)
			}
		}
		if issue.After(at) || at.Sub(issue) >= time.Second || expire.Sub(issue) != lifetime {
			t.Fatalf("other times than told: %s", say)
		}
		if !renew.After(issue) || renew.After(expire) {
			t.Fatalf("not in its life: %s", say)
		}
		// Tokens of less than four seconds have no whole second that would do.
		if left := expire.Sub(renew); lifetime >= 4*time.Second && left < min(minRenewBefore, lifetime/2) {
			t.Fatalf("%s are left: %s", left, say)
		}
		if waited := renew.Sub(at); lifetime > time.Second && waited < max(lifetime/10, time.Second) && lifetime < 20*time.Second || waited*10 < lifetime && lifetime > time.Second {
			t.Fatalf("too soon: %s", say)
		}
		if latest := max(lifetime-renewBefore(renewal, lifetime), min(minWait, lifetime)); renew.Sub(issue) > latest || renew.Sub(issue) < latest*9/10-time.Second {
			t.Fatalf("not within a tenth before %s: %s", latest, say)
		}
		if _, again, _ := schedule(uid, renewal, at, lifetime); !again.Equal(renew) {
			t.Fatalf("computed twice it differs: %s", say)
		}
	}
}

// failing gives a failure of any kind.
func (s chances) failing() *spacesauth.Error {
	kinds := []spacesauth.Kind{
		spacesauth.KindRejectedGrant, spacesauth.KindRejectedClient, spacesauth.KindRejectedRequest, spacesauth.KindUnclear,
		spacesauth.KindThrottled, spacesauth.KindUnavailable, spacesauth.KindAmbiguous,
	}
	failed := &spacesauth.Error{Kind: kinds[s.IntN(len(kinds))]}
	if s.IntN(2) == 0 {
		failed.RetryAfter = s.upTo(spacesauth.MaxRetryAfter + 1)
	}
	return failed
}

// eitherWay gives a duration between -most and most.
func (s chances) eitherWay(most time.Duration) time.Duration {
	if s.IntN(2) == 0 {
		return -s.upTo(most)
	}
	return s.upTo(most)
}

// jump moves a clock by up to a year, to either side.
func (s chances) jump(now time.Time) time.Time { return now.Add(s.eitherWay(year)) }

func TestNoFailureWaitsLongerThanItsCapWhateverTheClockDoes(t *testing.T) {
	chance := newChances(3)
	kinds := []v1alpha1.GrantType{v1alpha1.GrantTypePassword, v1alpha1.GrantTypeRefreshToken, v1alpha1.GrantTypeAnonymous}
	var previous *Failure
	now, held := noon, 0
	for range 100_000 {
		s := Spend{by: kinds[chance.IntN(3)], signIn: chance.IntN(2) == 0, replaceable: chance.IntN(2) == 0, living: &Token{ExpirationTime: chance.jump(now)}}
		var d Document
		d.failed(s.signIn, previous)
		f, _ := d.settle(s, chance.failing(), now)
		if previous = f; f == nil {
			continue
		}
		if wait := f.NextAttemptTime.Sub(now); wait < 0 || wait > f.longestWait() {
			t.Fatalf("%s waits %s, its cap is %s", f.Kind, wait, f.longestWait())
		}
		now = chance.jump(now)
		if f.holds(now, "") {
			held++
			if f.NextAttemptTime.Sub(now) > f.longestWait() || f.holds(now.Add(f.longestWait()), "") {
				t.Fatalf("%s holds %s at %s", f.Kind, f.NextAttemptTime.Sub(now), now)
			}
		}
	}
	if held == 0 {
		t.Error("nothing ever waited")
	}
}

func TestAListedGrantIsRevokedWhateverTheClockDoes(t *testing.T) {
	chance := newChances(5)
	for range 50_000 {
		d := Document{grant: &Grant{ID: "g", RefreshToken: kept{spacesauth.NewSecret("r")}, Token: &Token{ExpirationTime: noon.Add(chance.upTo(2 * year))}}}
		d.supersede(noon)
		now := chance.jump(noon)
		published := now.Add(-Changeover)
		if entry := d.pending[0]; !entry.Due(now, published) && !entry.Due(now.Add(Changeover), published) {
			t.Fatalf("listed at %s it is due neither at %s nor %s later", noon, now, Changeover)
		}
		d.Tried(d.pending[0].Failed(chance.failing(), noon))
		if entry := d.pending[0]; entry.Waits(now) && entry.Waits(now.Add(spacesauth.MaxRetryAfter)) {
			t.Fatalf("tried at %s it waits longer than its cap at %s", noon, now)
		}
		if d.pending[0].Due(noon.Add(Changeover-1), noon) && d.pending[0].TokenExpirationTime.After(noon.Add(Changeover)) {
			t.Fatal("it is due before workloads could change over")
		}
	}
}

// life is a credential that is renewed by decide and schedule alone.
type life struct {
	credential *v1alpha1.SpacesCredential
	document   *Document
	minted     int
}

// mint does what a successful call and its save do.
func (l *life) mint(now time.Time, renewal v1alpha1.Renewal, lifetime time.Duration) {
	issue, renew, expire := schedule("uid", renewal, now, lifetime)
	l.document.claims++
	l.document.claim = &Claim{Number: l.document.claims, Holder: "me", GrantID: "g"}
	l.document.Record(Answer{claim: *l.document.claim, grant: &Grant{
		ID: "g", Answered: l.document.claims, RefreshToken: kept{spacesauth.NewSecret(fmt.Sprint("r", l.document.claims))},
		Token: &Token{IssueTime: issue, RenewalTime: renew, ExpirationTime: expire},
	}}, now)
	l.minted++
}

func (l *life) due(now time.Time) bool {
	return Decide(Observation{Credential: l.credential, Now: now, Document: *l.document, Inputs: Seen{signIn: "s", refresh: "r"}}).Action != Nothing
}

func TestTheScheduleNeverMintsTwiceWithinATenthOfALifetime(t *testing.T) {
	chance := newChances(6)
	for _, kind := range []v1alpha1.GrantType{v1alpha1.GrantTypePassword, v1alpha1.GrantTypeRefreshToken} {
		for range 300 {
			l := &life{credential: credentialOf(v1alpha1.GrantTypeRefreshToken), document: &Document{}}
			l.credential.Spec.GrantType = kind
			renewal, lifetime := chance.renewal(), 2*time.Second+chance.upTo(60*24*time.Hour)
			now := noon.Add(chance.upTo(time.Second))
			last := now
			l.mint(now, renewal, lifetime)
			for range 300 {
				// Passes come at any time: for a timer, an event, or after a sleep.
				step := chance.upTo(lifetime / 5)
				if chance.IntN(50) == 0 {
					step = chance.upTo(year)
				}
				now = now.Add(step)
				if !l.due(now) {
					continue
				}
				if since := now.Sub(last); since*10 < lifetime || since < time.Second {
					t.Fatalf("a token of %s was due again after %s (%+v)", lifetime, since, renewal)
				}
				last = now
				l.mint(now, renewal, lifetime)
			}
			if l.minted < 2 {
				t.Fatalf("a token of %s was never renewed", lifetime)
			}
		}
	}
}

func TestATokenFromTheFutureIsDueAndOneMintEndsThat(t *testing.T) {
	chance := newChances(7)
	jumped := 0
	for range 300 {
		l := &life{credential: credentialOf(v1alpha1.GrantTypeRefreshToken), document: &Document{}}
		renewal, lifetime := chance.renewal(), 2*time.Second+chance.upTo(60*24*time.Hour)
		now := noon
		l.mint(now, renewal, lifetime)
		for range 200 {
			now = chance.jump(now)
			token := l.document.grant.Token
			future := token.IssueTime.Sub(now) > ClockJump
			if future {
				jumped++
			}
			switch due := l.due(now); {
			case future && !due, !now.Before(token.RenewalTime) && !due:
				t.Fatalf("a token of %s, issued %s from now, is not due", lifetime, token.IssueTime.Sub(now))
			case due && !future && now.Before(token.RenewalTime):
				t.Fatalf("a token of %s is due %s before its renewal", lifetime, token.RenewalTime.Sub(now))
			case due:
				l.mint(now, renewal, lifetime)
				if l.due(now) {
					t.Fatalf("a token of %s is due again at once", lifetime)
				}
			}
		}
	}
	if jumped == 0 {
		t.Error("no clock ever jumped back")
	}
}

func TestEveryErrorIsSettled(t *testing.T) {
	f, refused := Document{}.settle(Spend{}, errors.New("of no kind"), noon)
	if f == nil || refused != nil || f.Kind != spacesauth.KindAmbiguous {
		t.Errorf("it is %+v, %+v", f, refused)
	}
}
