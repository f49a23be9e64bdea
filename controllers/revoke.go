package controllers

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// round is one look at a list of grants that wait to be revoked.
type round struct {
	// gone are the grants that leave the list, abandoned of them without a confirmation.
	gone      []string
	abandoned int
	// tried is the one whose call failed, if it stays.
	tried *grantstate.Listed
	// outcome tells what keeps the others there, and when to look again.
	outcome outcome
}

// isNews tells that the list is not what it was.
func (o round) isNews() bool { return len(o.gone) > 0 || o.tried != nil }

// record tells the document that has the list.
func (o round) record(d *grantstate.Document) {
	for _, id := range o.gone {
		d.Drop(id)
	}
	if o.tried != nil {
		d.Tried(*o.tried)
	}
}

// waits adds what an entry waits for: people are told of the first that is in trouble, and
// the operator looks again when the soonest can go on.
func (o *round) waits(why outcome) {
	if before := o.outcome; before.isTrouble() || !why.isTrouble() && before.standing != settled {
		o.outcome = before.orSooner(why.wake)
	} else {
		o.outcome = why.orSooner(before.wake)
	}
}

// revoke makes at most one call for the entries that are due, the oldest first. An entry is
// given up after its time, but not before it was tried once, or had no turn for long; where its
// environment is not listed or is paused nothing can be tried, and none is owed; what nobody waits for
// is then kept until the environment is resumed.
func (r *Reconciler) revoke(ctx context.Context, s *scope, list []grantstate.Listed, due func(grantstate.Listed) bool) round {
	var o round
	for _, entry := range list {
		now := r.Clock.Now()
		client := r.revoker(entry)
		paused := pauseOf(client)
		isHopeless := client == nil || paused.isTrouble() && s.isEnding()
		switch {
		case !due(entry):
		case entry.IsOver(now) && !paused.isTrouble(), isHopeless && !now.Before(entry.GiveUpTime):
			o.gone, o.abandoned = append(o.gone, entry.GrantID), o.abandoned+1
		case client == nil:
			o.waits(unrevocable(entry).at(entry.GiveUpTime))
		case isHopeless:
			o.waits(paused.at(entry.GiveUpTime))
		case paused.isTrouble():
			o.waits(paused)
		case entry.Waits(now):
			o.waits(unrevoked(entry).at(earlier(entry.NextAttemptTime, entry.GiveUpTime)))
		default:
			r.revokeOne(ctx, s, entry, &o)
		}
	}
	return o
}

// revokeOne makes the call for one entry, if it is its turn. At its deadline it is owed, and held
// back by nothing but what the credential itself was told; one that has no turn for ten minutes
// then is given up untried.
func (r *Reconciler) revokeOne(ctx context.Context, s *scope, entry grantstate.Listed, o *round) {
	client, isOwed := r.revoker(entry), entry.IsOwed(r.Clock.Now())
	turn, refused := r.turn(s, s.revoking(client, isOwed, entry.Always))
	if turn == nil {
		until := entry.GiveUpTime
		switch {
		case isOwed && refused.queuedSince.IsZero(): // it was told to wait, or called a moment ago
			until = refused.wake
		case isOwed:
			until = later(entry.GiveUpTime, refused.queuedSince).Add(owedPatience)
			if !r.Clock.Now().Before(until) {
				o.gone, o.abandoned = append(o.gone, entry.GrantID), o.abandoned+1
				return
			}
		}
		if refused.isTrouble() {
			o.waits(unrevoked(entry).at(earlier(refused.wake, until)))
		} else {
			o.waits(refused.at(earlier(refused.wake, until)))
		}
		return
	}
	app := r.revokingApplication(ctx, s, entry)
	if lapsed := turn.begin(); lapsed.standing != settled {
		o.waits(lapsed)
		return
	}
	turn.send()
	sent := r.Clock.Now()
	err := client.Revoke(ctx, app, entry.RefreshToken.Secret)
	turn.made(err)
	r.Metrics.Revoked(client.Environment().Name, r.Clock.Since(sent), err)
	r.auditRevocation(ctx, s, entry, err)
	if err == nil {
		o.gone = append(o.gone, entry.GrantID)
		return
	}
	entry = entry.Failed(err, r.Clock.Now())
	if entry.IsOver(r.Clock.Now()) {
		o.gone, o.abandoned = append(o.gone, entry.GrantID), o.abandoned+1
		return
	}
	o.tried = &entry
	o.waits(unrevoked(entry).at(earlier(entry.NextAttemptTime, entry.GiveUpTime)))
}

// revokingApplication is what a revocation is sent as: the client ID alone, as the vendor says,
// and its secret beside it where the service asked for that, and where it can be had: the Secret
// that spec names, or that of the client's lender, still holds that client.
func (r *Reconciler) revokingApplication(ctx context.Context, s *scope, entry grantstate.Listed) spacesauth.Application {
	app, ref := spacesauth.Application{ID: entry.ClientID}, s.credential.Spec.ClientSecretRef
	if entry.NeedsSecret && entry.Lender != nil && r.ClientNamespace != "" {
		app.Secret = r.lentForRevocation(ctx, entry)
		return app
	}
	if !entry.NeedsSecret || entry.Lender != nil || ref == nil {
		return app
	}
	reading, err := r.readInput(ctx, s.key.Namespace, ref.Name, remembered)
	if err == nil && reading.value(ref.ClientIDKey).Reveal() == entry.ClientID {
		app.Secret = reading.value(ref.ClientSecretKey)
	}
	return app
}

// owedPatience is for how long an owed revocation waits for its turn.
const owedPatience = 10 * time.Minute

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// revokeListed works off the listed grants of a living credential: once the successor's
// token has been published for a while, or nobody can use theirs.
func (r *Reconciler) revokeListed(ctx context.Context, s *scope) (outcome, error) {
	list := s.document.Pending()
	if len(list) == 0 {
		return outcome{}, nil
	}
	now, since := r.Clock.Now(), r.publishedSince(s)
	o := r.revoke(ctx, s, list, func(entry grantstate.Listed) bool { return entry.Due(now, since) })
	if !o.isNews() {
		return o.outcome, nil
	}
	if err := r.update(ctx, s, o.record); err != nil {
		return outcome{}, err
	}
	r.abandoned(ctx, s.credential, o.abandoned, "the service did not confirm it in time")
	return o.outcome, nil
}

// heldRevocation turns an error on the way of a revocation into what is told of it: what was
// published is told all the same. After a conflict the next pass revokes once more, which the
// service takes for done.
func (r *Reconciler) heldRevocation(s *scope, err error) (outcome, error) {
	if errors.Is(err, errConflict) {
		return pacedUntil(r.Clock.Now().Add(afterConflict)), nil
	}
	if forbidden := r.forbidden(s, err); forbidden.isTrouble() {
		return forbidden, nil
	}
	return outcome{}, err
}

// revokeUnkept works off the grants that no state can keep, because the credential or its
// state is gone. It returns when to go on; zero when nothing is left.
func (r *Reconciler) revokeUnkept(ctx context.Context, key types.NamespacedName) time.Time {
	list := r.memory.of(key).unkept
	if len(list) == 0 {
		return time.Time{}
	}
	s := &scope{key: key, credential: reference(key, "")}
	o := r.revoke(ctx, s, list, func(grantstate.Listed) bool { return true })
	r.memory.change(key, func(known *recollection) { known.unkept = o.rest(known.unkept) })
	r.abandoned(ctx, s.credential, o.abandoned, "its state Secret was gone and the service did not confirm it in time")
	return o.outcome.wake
}

// rest is what a list is after the round.
func (o round) rest(list []grantstate.Listed) []grantstate.Listed {
	var left []grantstate.Listed
	for _, entry := range list {
		switch {
		case slices.Contains(o.gone, entry.GrantID):
		case o.tried != nil && o.tried.GrantID == entry.GrantID:
			left = append(left, *o.tried)
		default:
			left = append(left, entry)
		}
	}
	return left
}
