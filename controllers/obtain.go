package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/deadline"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/seal"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// saveMargin is the time after a call's deadline in which its answer is saved. It
	// is less than watchMargin: when a claim counts as old, its holder is silent.
	saveMargin = 10 * time.Second
	// saveAttempts bounds how often one pass writes the same answer against others who
	// write the same document.
	saveAttempts = 4
	// drainPause is the time between two tries of Drain.
	drainPause = time.Second
)

// call is one call that spends a grant: what is sent, where, and what the document has to
// know of it.
type call struct {
	spend  grantstate.Spend
	client *spacesauth.Client
	given  grantstate.Given
}

// obtain makes the one call that a pass may make, between two writes of the state: the
// claim, before anything leaves the process, and the save of the answer, after which
// nothing is left to lose. What is told afterwards is what the document says then.
func (r *Reconciler) obtain(ctx context.Context, s *scope, verdict grantstate.Verdict) (outcome, error) {
	client, problem := r.callee(s, verdict.Action)
	if problem.isTrouble() {
		return problem, nil
	}
	if err := r.forgiveOthers(ctx, s, verdict.Action); err != nil {
		return outcome{}, err
	}
	// Nothing is read for a call whose turn has not come.
	turn, refused := r.turn(s, s.spending(client, verdict.Action))
	if turn == nil {
		return refused.outcome, nil
	}
	c, out, err := r.prepare(ctx, s, verdict)
	if err != nil || out.standing != settled {
		turn.giveBack()
		return out, err
	}
	others := s.document.OthersSignIn()
	if out, err := r.spend(ctx, s, c, turn); err != nil || out.standing != settled {
		return out, err
	}
	out, err = r.tellAnswer(ctx, s)
	if err == nil {
		r.othersAppeared(s, others)
	}
	return out, err
}

// callee returns the client that makes the call that was decided.
func (r *Reconciler) callee(s *scope, what grantstate.Action) (*spacesauth.Client, outcome) {
	if what == grantstate.Refresh {
		grant := s.document.Grant()
		return r.issuer(s, grant.Environment, grant.AccountsURL)
	}
	return s.environment, s.environmentProblem
}

// prepare makes ready all that the call needs: the inputs that are really sent, and the finalizer
// that outlives it.
func (r *Reconciler) prepare(ctx context.Context, s *scope, verdict grantstate.Verdict) (call, outcome, error) {
	if out, err := r.lookAgain(ctx, s, verdict); err != nil || out.standing != settled {
		return call{}, out, err
	}
	c, problem, err := r.decided(s, verdict.Action)
	if err != nil || problem.standing != settled {
		return call{}, problem, err
	}
	if until := r.logins.heldUntil(c, r.Clock.Now()); !until.IsZero() {
		return call{}, loginHeld().at(until), nil
	}
	return c, outcome{}, r.addFinalizer(ctx, s)
}

// lookAgain is the one second look of a pass, at the inputs that are really sent. What was
// decided by what this process remembers of them may be wrong: the informer of a process
// that was stopped is late, while a login, a seed and a code are read now. Another process
// may have used them meanwhile. A client that is late is refused, and that costs no grant.
func (r *Reconciler) lookAgain(ctx context.Context, s *scope, verdict grantstate.Verdict) (outcome, error) {
	if s.inputs.isRead {
		return outcome{}, nil
	}
	known := s.inputs.seen
	grant := live
	if verdict.Action == grantstate.Refresh {
		grant = none
	}
	in, err := r.readInputs(ctx, s, grant)
	if err != nil {
		return outcome{}, err
	}
	if verdict.Action == grantstate.Refresh { // nothing else was looked at
		in.seen, in.grantProblem = known.WithRefresh(in.seen), s.inputs.grantProblem
	}
	s.inputs = in
	if now := s.decide(in.seen); now.Action != verdict.Action {
		r.memory.change(s.key, func(known *recollection) { known.inputs = nil })
		if in.clientProblem.isTrouble() {
			return in.clientProblem, nil
		}
		return again, nil
	}
	return outcome{}, nil
}

// decided is the call that was decided.
func (r *Reconciler) decided(s *scope, what grantstate.Action) (call, outcome, error) {
	o := s.judged(s.inputs.seen)
	if what == grantstate.Refresh {
		c := call{spend: o.Refresh(), given: o.Inputs.Sent(s.inputs.given)}
		if !s.consent.problem.isTrouble() {
			c.spend = c.spend.LentBy(c.given.Lender)
		}
		var problem outcome
		c.client, problem = r.clientToRenew(s, c.spend, c.given)
		return c, problem, nil
	}
	spend, given, err := o.SignIn(s.environment.Environment().Name, s.inputs.given, r.Random)
	if err == nil && spend.IsImport() && s.forbidsImport() {
		return call{}, clientForbidden(s.credential.Spec.ClientRef.Name), nil
	}
	return call{spend: spend, client: s.environment, given: given}, outcome{}, err
}

// send makes the call.
func (c call) send(ctx context.Context, beforeSending func() error) (spacesauth.Answer, error) {
	switch app := c.given.Application; {
	case c.spend.By() == v1alpha1.GrantTypeAnonymous:
		return c.client.Guest(ctx, *c.given.Guest, beforeSending)
	case !c.spend.RefreshToken().Empty(): // the living grant's, or a seed
		return c.client.Token(ctx, app, spacesauth.RefreshTokenGrant{RefreshToken: c.spend.RefreshToken()}, beforeSending)
	case c.spend.By() == v1alpha1.GrantTypeAuthorizationCode:
		return c.client.Token(ctx, app, c.given.Code, beforeSending)
	default:
		return c.client.Token(ctx, app, spacesauth.PasswordGrant{Username: c.given.Username, Password: c.given.Password, Scopes: c.given.Scopes}, beforeSending)
	}
}

// forgiveOthers forgets what was refused before an input changed. That is done at once, because
// the call may have to wait, and the input may be changed back until then.
func (r *Reconciler) forgiveOthers(ctx context.Context, s *scope, what grantstate.Action) error {
	forgive := func(d *grantstate.Document) bool { return d.ForgiveOthers(what, s.credential, s.inputs.seen) }
	if d := s.document.Clone(); s.state == nil || !forgive(&d) {
		return nil
	}
	return r.update(ctx, s, func(d *grantstate.Document) { forgive(d) })
}

// spend claims, calls, and saves the answer. From before the claim to the end of the save
// nothing that ends the pass may end the work: it has contexts of its own, whose deadlines
// count from the time in the claim, however slow the API server is. It counts as under way
// from before the claim, and does not begin once the process is leaving.
func (r *Reconciler) spend(ctx context.Context, s *scope, c call, turn *turn) (outcome, error) {
	if !r.flights.begin() {
		turn.giveBack()
		return pacedUntil(r.Clock.Now().Add(callPause)), nil
	}
	defer r.flights.end()
	claimed, timeout := turn.began, c.client.Environment().Timeout()
	work := context.WithoutCancel(ctx)

	claim := func(d *grantstate.Document) {
		d.Claim(c.spend, s.credential, r.Holder, claimed, timeout)
		if r.isAllPublished(s) {
			d.OwnOnly(ownedBy(s.credential))
		} else {
			d.Own(ownedBy(s.credential))
		}
	}
	if full := hasRoom(s.document, claim); full.isTrouble() {
		turn.giveBack()
		return full, nil
	}
	if lapsed := turn.begin(); lapsed.standing != settled {
		return lapsed, nil
	}
	claiming, end := deadline.Until(work, r.Clock, claimed.Add(timeout))
	err := r.update(claiming, s, claim)
	end()
	if err != nil {
		turn.giveBack()
		if out := r.refusedWrite(s, err); out.isTrouble() {
			return out, nil
		}
		return outcome{}, err
	}
	r.tellRejection(ctx, s, c)
	calling, end := deadline.Until(work, r.Clock, claimed.Add(timeout))
	sent := r.Clock.Now()
	got, err := c.send(calling, func() error {
		if err := r.notTooLate(claimed, timeout); err != nil {
			return err
		}
		turn.send()
		return nil
	})
	end()
	turn.made(err)
	c.spend = c.spend.HostCleared(turn.hostCleared()).EndsAfter(c.client.Environment().GrantLifetime())
	r.Metrics.Called(c.client.Environment().Name, string(c.spend.By()), r.Clock.Since(sent), err)
	r.auditSpend(ctx, s, c.spend.By(), err)
	r.memory.list(s.key, s.document.Unkeepable(c.spend, got.Unkeepable, r.Clock.Now()))
	answer := s.document.Answer(c.spend, s.credential, got, err, r.Clock.Now())
	r.logins.heard(c, answer.NextAttemptAfterUnclear(), r.Clock.Now())
	r.memory.keep(s.key, answer)
	s.signedIn = c.spend.By() == v1alpha1.GrantTypePassword || c.spend.By() == v1alpha1.GrantTypeAnonymous

	saving, end := deadline.Until(work, r.Clock, claimed.Add(timeout+saveMargin))
	defer end()
	return outcome{}, r.saveAnswers(saving, s.key)
}

// largestAnswer is more than an answer adds to a document: three tokens, and the one of before,
// which may stay published until the new one is verified.
const largestAnswer = 4*spacesauth.MaxToken + spacesauth.MaxRefreshToken + 16<<10

// hasRoom says when the answer to a claim might not fit into the state any more. Nothing is sent
// then: what cannot be saved is lost.
func hasRoom(d grantstate.Document, claim func(*grantstate.Document)) outcome {
	d = d.Clone()
	claim(&d)
	content, err := d.Bytes()
	if err != nil || seal.SizeOf(len(content)+largestAnswer) > seal.MaxSize {
		return stateFull(len(content))
	}
	return outcome{}
}

// tellAnswer reads the document that the save left, and tells what holds up what is wanted.
func (r *Reconciler) tellAnswer(ctx context.Context, s *scope) (outcome, error) {
	state, err := r.findState(ctx, s.key, s.credential.UID)
	if err != nil {
		return outcome{}, err
	}
	if state == nil || !state.isUsable() {
		return again, nil
	}
	s.state, s.document = state, state.document
	if s.inputs.isRead {
		s.inputs.seen = s.document.See(s.inputs.given)
		r.rememberInputs(s.key, s.inputs)
	}
	o := s.judged(s.inputs.seen)
	o.Now = r.Clock.Now()
	return s.held(grantstate.Decide(o)), nil
}

// notTooLate keeps a process that slept from sending: by then another may have
// taken the claim over. A clock that stands still in a suspended machine and one
// that was set are each caught by the other.
func (r *Reconciler) notTooLate(claimed time.Time, timeout time.Duration) error {
	now := r.Clock.Now()
	monotonic, wall := now.Sub(claimed), now.Round(0).Sub(claimed.Round(0))
	if monotonic > timeout || wall > timeout || wall < -grantstate.ClockJump {
		return errors.New("too much time passed since the claim")
	}
	return nil
}

// saveAnswers records the answers that memory holds for a credential. While it
// fails they stay there; it is the write that is repeated, never the call.
func (r *Reconciler) saveAnswers(ctx context.Context, key types.NamespacedName) error {
	for _, a := range r.memory.of(key).unsaved {
		if err := r.saveAnswer(ctx, key, a); err != nil {
			return fmt.Errorf("an answer of the service is not saved yet and is kept in memory: %w", err)
		}
	}
	return nil
}

// saveAnswer records one answer in the state. Where no state can keep it any more, its
// grant is listed in memory, to be revoked. In one that cannot be read it may have its
// place yet.
func (r *Reconciler) saveAnswer(ctx context.Context, key types.NamespacedName, a grantstate.Answer) error {
	for range saveAttempts {
		current, err := r.stateForSave(ctx, key, a)
		switch {
		case err != nil:
			return err
		case current != nil && current.problem == stateUnreadable:
			return nil
		case current == nil || !current.isOf(a.CredentialUID()):
			r.unkeep(ctx, key, a)
			return nil
		}
		s := &scope{key: key, credential: reference(key, a.CredentialUID()), state: current, document: current.document}
		err = r.update(ctx, s, func(d *grantstate.Document) { d.Record(a, r.Clock.Now()) })
		if err == nil {
			r.memory.saved(key, a)
		}
		if !errors.Is(err, errConflict) {
			return err
		}
	}
	return errConflict
}

// unkeep gives up an answer that no state can keep: its grant is revoked. Where grants may be
// exported, one that came so late is not: whoever took its claim over may have given the grant away
// since, and the state with the mark be gone.
func (r *Reconciler) unkeep(ctx context.Context, key types.NamespacedName, a grantstate.Answer) {
	if now := r.Clock.Now(); r.AllowExport && a.MayBeExported(now, watchMargin) {
		log.FromContext(ctx).Info("An answer came too late for its state, and is not revoked: the grant may have been exported since", "spacescredential", key.String())
		r.memory.saved(key, a)
		return
	}
	r.memory.unkeep(key, a, r.Clock.Now())
}

// stateForSave is the document this process wrote the claim into, or the one that
// is there now.
func (r *Reconciler) stateForSave(ctx context.Context, key types.NamespacedName, a grantstate.Answer) (*state, error) {
	if known := r.memory.of(key).state; known != nil && known.document.CredentialUID() == a.CredentialUID() {
		return known, nil
	}
	return r.readState(ctx, key, a.CredentialUID())
}

// Drain lets no call begin any more, waits for those under way, and saves what is unsaved,
// until ctx ends. It is for the time after the manager stopped: with a lost lease its
// workers get no grace, but an answer of the service must still reach the state.
func (r *Reconciler) Drain(ctx context.Context) error {
	select {
	case <-r.flights.drain():
	case <-ctx.Done():
		return fmt.Errorf("a call to the service was still under way: %w", ctx.Err())
	}
	for {
		var failed error
		for _, key := range r.memory.withAnswers() {
			failed = errors.Join(failed, r.saveAnswers(ctx, key))
			r.revokeUnkept(ctx, key)
		}
		if failed == nil && len(r.memory.withAnswers()) == 0 {
			return nil
		}
		if failed == nil {
			failed = errors.New("grants that no state can keep are not revoked yet, or their states cannot be read")
		}
		log.FromContext(ctx).Error(failed, "Saving an answer failed; trying again")
		timer := r.Clock.NewTimer(drainPause)
		select {
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w (%w)", failed, ctx.Err())
		}
	}
}
