package fakespaces_test

import (
	"context"
	"sync"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func TestTwoRefreshesOfOneGrantAtOnceAreCounted(t *testing.T) {
	for sentence, c := range map[string]struct {
		sameGrant bool
		want      int
	}{
		"of one grant":  {true, 1},
		"of two grants": {false, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			one, two := w.IssueGrant(app, bot), w.IssueGrant(app, bot)
			if c.sameGrant {
				two = one
			}
			release, answered := w.hold(one)
			w.refresh(two)
			close(release)
			<-answered
			equal(t, "concurrent refreshes", w.Ledger().ConcurrentRefreshes, c.want)
		})
	}
}

// hold sends a refresh and returns when it is in flight, held before its work.
func (w *world) hold(token string) (release chan<- struct{}, answered <-chan reply) {
	held, free, done := make(chan struct{}), make(chan struct{}), make(chan reply, 1)
	w.Intercept(func(call fakespaces.Call) fakespaces.Fault {
		if call.Number == 1 {
			close(held)
			<-free
		}
		return fakespaces.NoFault
	})
	go func() { done <- w.refresh(token) }()
	<-held
	return free, done
}

func TestRefreshesOneAfterAnotherAreNeverCountedAsConcurrent(t *testing.T) {
	w := newWorld(t)
	token := w.IssueGrant(app, bot)
	for range 300 {
		// A new connection each time: nothing but the service orders the calls.
		w.client.CloseIdleConnections()
		got := w.refresh(token)
		w.expectStatus(got, 200)
		token = got.refresh
	}
	equal(t, "concurrent refreshes", w.Ledger().ConcurrentRefreshes, 0)
	equal(t, "refreshes", w.Ledger().Grants[0].Refreshes, 300)
}

func TestAReplayOfADeliveredAnswerIsAlwaysCounted(t *testing.T) {
	w := newWorld(t, fakespaces.WithReuseDetection(false))
	for range 100 {
		token := w.IssueGrant(app, bot)
		w.refresh(token)
		w.client.CloseIdleConnections()
		w.refresh(token)
	}
	equal(t, "sent again after delivery", w.Ledger().SentAgainAfterDelivery, 100)
	equal(t, "concurrent refreshes", w.Ledger().ConcurrentRefreshes, 0)
}

func TestAClientThatLeavesWhileItsAnswerIsHeldLosesIt(t *testing.T) {
	w := newWorld(t)
	seed := w.IssueGrant(app, bot)
	ctx, leave := context.WithCancel(t.Context())
	var seen fakespaces.Call
	written := make(chan struct{})
	w.InterceptAnswer(func(call fakespaces.Call) {
		if call.Number != 1 {
			return
		}
		seen = call
		leave()
		<-call.Gone()
		close(written)
	})
	equal(t, "it breaks", w.send(ctx, "POST", "/oauth2/access_token", "", refreshForm(seed)).err != nil, true)
	<-written
	equal(t, "operation", seen.Operation, fakespaces.OperationRefresh)
	equal(t, "status", seen.Status, 200)
	equal(t, "user", seen.Username, bot)
	equal(t, "client", seen.ClientID, app)
	equal(t, "grant", seen.GrantID, "grant-1")
	equal(t, "refresh token", seen.Form.Get("refresh_token"), seed)

	w.expectRefusal(w.refresh(seed), 400, "invalid_grant")
	l := w.Ledger()
	equal(t, "replays of lost answers", l.ReplaysOfLostAnswers, 1)
	equal(t, "sent again after delivery", l.SentAgainAfterDelivery, 0)
	equal(t, "concurrent refreshes", l.ConcurrentRefreshes, 0)
}

func TestAnInterceptorOrdersFaultsAndMayCallTheService(t *testing.T) {
	w := newWorld(t)
	w.Next(fakespaces.OperationPassword, fakespaces.FaultTimeout408)
	w.Intercept(func(call fakespaces.Call) fakespaces.Fault {
		w.IssueGrant(app, bot)
		if call.Operation == fakespaces.OperationPassword {
			return fakespaces.FaultHTML502
		}
		return fakespaces.NoFault
	})
	w.expectStatus(w.signIn(), 502)
	w.Intercept(nil)
	w.expectStatus(w.signIn(), 408)
	equal(t, "grants issued", w.Ledger().GrantsIssued, 1)
}

func TestAReplayBeforeTheFateOfTheFirstAnswerIsKnown(t *testing.T) {
	for sentence, c := range map[string]struct{ leaves, lost int }{
		"is no mistake if that answer arrives":     {0, 0},
		"is one of a lost answer if it never does": {1, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, fakespaces.WithReuseDetection(false))
			seed := w.IssueGrant(app, bot)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			replay := make(chan reply, 1)
			w.InterceptAnswer(func(call fakespaces.Call) {
				if call.Number != 1 {
					return
				}
				// The client still waits, and sends the same token once more.
				replay <- w.refresh(seed)
				if c.leaves > 0 {
					leave()
					<-call.Gone()
				}
			})
			w.send(ctx, "POST", "/oauth2/access_token", "", refreshForm(seed))
			w.expectRefusal(<-replay, 400, "invalid_grant")
			w.server.Close() // every call has landed
			l := w.Ledger()
			equal(t, "concurrent refreshes", l.ConcurrentRefreshes, 1)
			equal(t, "sent again after delivery", l.SentAgainAfterDelivery, 0)
			equal(t, "replays of lost answers", l.ReplaysOfLostAnswers, c.lost)
		})
	}
}

func TestEverythingAtOnce(t *testing.T) {
	w := newWorld(t)
	w.SetFaultRate(fakespaces.OperationAny, fakespaces.FaultHTML502, 0.1)
	const clients, rounds = 8, 25
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			token := w.IssueGrant(app, bot)
			for range rounds {
				if got := w.refresh(token); got.status == 200 {
					token = got.refresh
					w.whoAmI(got.access)
				}
				w.Ledger()
				w.Secrets()
				w.SetRotation(fakespaces.RotateAlways)
			}
			for w.revoke(token).status != 200 {
			}
		})
	}
	all.Wait()
	l := w.Ledger()
	equal(t, "grants revoked", l.GrantsRevoked, clients)
	equal(t, "grants dead", l.GrantsDead, 0)
	equal(t, "refreshes asked", l.Calls[fakespaces.OperationRefresh], clients*rounds)
	equal(t, "sent again after delivery", l.SentAgainAfterDelivery, 0)
	equal(t, "concurrent refreshes", l.ConcurrentRefreshes, 0)
}
