package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// revocationRound is one look at a list of grants that wait to be revoked.
type revocationRound struct {
	left      []pendingRevocation
	changed   bool
	abandoned int
	problem   *finding
}

// revokeDue makes at most one call for every entry that is due. An entry is given
// up after its time, but never before it was tried once; where its environment is
// not listed nothing can be tried.
func (r *Reconciler) revokeDue(ctx context.Context, key types.NamespacedName, list []pendingRevocation, due func(pendingRevocation) bool) revocationRound {
	var round revocationRound
	for _, entry := range list {
		if !due(entry) {
			round.left = append(round.left, entry)
			continue
		}
		client := r.clientForURL(entry.AccountsURL)
		now := r.Clock.Now()
		if client == nil {
			round.problem = waiting(v1alpha1.ReasonUnknownEnvironment,
				"A grant of environment %q cannot be revoked: %s is not in the operator's environments file.", entry.Environment, entry.AccountsURL)
			round.keepOrGiveUp(entry, now)
			continue
		}
		if entry.waits(now) {
			round.problem = entry.problem()
			round.left = append(round.left, entry)
			continue
		}
		gate := r.gates.of(client.Environment())
		if closed := gate.enter(now); closed != nil && now.Before(entry.GiveUpTime) {
			// At the deadline the call is made all the same: it is owed.
			round.problem = entry.problem().at(closed.wake)
			round.left = append(round.left, entry)
			continue
		}
		err := client.Revoke(ctx, entry.ClientID, entry.RefreshToken.Secret)
		gate.leave(err, r.Clock.Now())
		r.Metrics.revoked(client.Environment().Name, err)
		round.changed = true
		if err == nil {
			continue
		}
		entry.Attempts++
		entry.Detail = err.Error()
		entry.NextAttemptTime = now.Add(revocationWait(key, entry, err))
		round.problem = entry.problem()
		round.keepOrGiveUp(entry, now)
	}
	return round
}

// problem says that a grant is not revoked yet, in words that stay the same from one
// try to the next.
func (p pendingRevocation) problem() *finding {
	why := "calls are sent at the pace of the environment"
	if p.Detail != "" {
		why = "the last try failed: " + p.Detail
	}
	return waiting(v1alpha1.ReasonRevocationFailing, "A grant is not revoked yet; %s. The operator tries until %s.",
		why, p.GiveUpTime.UTC().Format(time.RFC3339)).at(p.NextAttemptTime)
}

// waits tells that the last try was not long ago. A wait longer than any it could have
// been given comes from a clock that was set back, and is over.
func (p pendingRevocation) waits(now time.Time) bool {
	return p.Attempts > 0 && within(now, p.NextAttemptTime, spacesauth.MaxRetryAfter) && now.Before(p.GiveUpTime)
}

// keepOrGiveUp keeps an entry on the list while its time lasts.
func (round *revocationRound) keepOrGiveUp(entry pendingRevocation, now time.Time) {
	if now.Before(entry.GiveUpTime) {
		round.left = append(round.left, entry)
		return
	}
	round.changed = true
	round.abandoned++
}

// revocationWait is the time to the next try.
func revocationWait(key types.NamespacedName, entry pendingRevocation, err error) time.Duration {
	var failed *spacesauth.Error
	if errors.As(err, &failed) && failed.RetryAfter > 0 {
		return failed.RetryAfter
	}
	return backoff(types.UID(key.String()+entry.GrantID), entry.Attempts, 0)
}

// revokeSuperseded revokes the listed grants of a living credential: once the
// successor's token has been published for a while, or nobody can use theirs.
func (r *Reconciler) revokeSuperseded(ctx context.Context, p *pass) error {
	if p.state == nil || len(p.state.document.Pending) == 0 {
		return nil
	}
	round := r.revokeDue(ctx, p.key, p.state.document.Pending, func(entry pendingRevocation) bool {
		return entry.due(p.now, p.publishedSince)
	})
	p.revocationProblem = round.problem
	if !round.changed {
		return nil
	}
	d := p.state.document.clone()
	d.Pending = round.left
	written, err := r.writeState(ctx, p.key, p.state, d)
	if err != nil {
		return err
	}
	p.state = written
	r.abandoned(ctx, p.key, round.abandoned, "the service did not confirm it in time")
	return nil
}

// due tells whether a listed grant is to be revoked. publishedSince is when workloads
// could first see its successor's token; zero while they cannot.
func (p pendingRevocation) due(now, publishedSince time.Time) bool {
	return !now.Before(p.TokenExpirationTime) ||
		!publishedSince.IsZero() && !within(now, p.NotBefore, superseded) && !within(now, publishedSince.Add(superseded), superseded)
}

// revokeUnkept revokes the grant of an answer that no state can keep: the
// credential or its state is gone.
func (r *Reconciler) revokeUnkept(ctx context.Context, a answer) error {
	if a.grant == nil || a.terms.never() {
		return nil
	}
	now := r.Clock.Now()
	if a.giveUpTime.IsZero() {
		a.giveUpTime = a.terms.deadline(now)
		r.memory.giveUpAt(a, a.giveUpTime)
	}
	entry := pendingRevocation{
		GrantID: a.grant.ID, Environment: a.grant.Environment, AccountsURL: a.grant.AccountsURL,
		ClientID: a.grant.ClientID, RefreshToken: a.grant.RefreshToken, GiveUpTime: a.giveUpTime,
	}
	round := r.revokeDue(ctx, a.credential, []pendingRevocation{entry}, func(pendingRevocation) bool { return true })
	r.abandoned(ctx, a.credential, round.abandoned, "its state Secret was gone and the service did not confirm it in time")
	if len(round.left) > 0 {
		return fmt.Errorf("the state Secret is gone: %s", round.problem.message)
	}
	return nil
}

// retire ends what a state Secret holds: it is deleted, its grants are revoked, it
// is released. It reports done when nothing is left.
//
// The order is safe at every step: a deleted state is never spent from, and the
// release is refused if an answer was saved in between.
func (r *Reconciler) retire(ctx context.Context, key types.NamespacedName, judged *state, mode retirement) (done bool, f *finding, err error) {
	if wait := r.openClaim(key, judged); wait != nil {
		return false, wait, nil
	}
	judged, err = r.markDeleted(ctx, key, judged)
	if err != nil || judged == nil {
		return err == nil, nil, err
	}
	d := judged.document.clone()
	if mode.terms != nil {
		d.Revocation = *mode.terms
	}
	terms, deadline := d.Revocation, d.Revocation.deadline(judged.deletion)
	if !mode.since.IsZero() {
		deadline = terms.deadline(mode.since)
	}
	if terms.never() && !mode.always {
		d.Grant = nil
		d.Pending = slices.DeleteFunc(d.Pending, func(entry pendingRevocation) bool { return !entry.Always })
	}
	if mode.always {
		d.Revocation.Policy = v1alpha1.RevocationOnDelete
	}
	d.supersede(r.Clock.Now())
	if d.FirstUse != nil {
		d.list(d.FirstUse.grant(), judged.deletion, judged.deletion, r.Clock.Now())
		d.Inputs.Used.use(d.FirstUse)
		d.FirstUse = nil
	}
	d.expectNothing()
	for i := range d.Pending {
		d.Pending[i].GiveUpTime = deadline
	}
	round := r.revokeDue(ctx, key, d.Pending, func(pendingRevocation) bool { return true })
	if len(round.left) == 0 {
		if err := r.releaseState(ctx, key, judged); err != nil {
			return false, nil, err
		}
		r.abandoned(ctx, key, round.abandoned+d.abandoned, "the service did not confirm it before the deadline")
		return true, nil, nil
	}
	d.Pending, d.Revocation = round.left, terms
	if round.changed || judged.document.Grant != nil || judged.document.FirstUse != nil {
		if _, err := r.writeState(ctx, key, judged, d); err != nil {
			return false, nil, err
		}
		r.abandoned(ctx, key, round.abandoned, "the service did not confirm it before the deadline")
	}
	return false, round.nextTry(deadline, r.Clock.Now()), nil
}

// retirement says how a state is retired.
type retirement struct {
	// always revokes whatever the policy says: the emergency stop.
	always bool
	// terms replaces the recorded ones.
	terms *revocationTerms
	// since replaces the state's own deletion as the start of the deadline.
	since time.Time
}

// nextTry is the problem of a round with the time of the next call. An entry whose time
// has come, and which the gate held up, waits for the gate: a time that is past wakes nobody.
func (round revocationRound) nextTry(deadline, now time.Time) *finding {
	wake := deadline
	if at := round.problem.wake; !at.IsZero() && at.Before(wake) {
		wake = at
	}
	for _, entry := range round.left {
		if entry.NextAttemptTime.After(now) && entry.NextAttemptTime.Before(wake) {
			wake = entry.NextAttemptTime
		}
	}
	return round.problem.at(wake)
}
