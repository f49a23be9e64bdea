package controllers

import (
	"context"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// renew brings the state up to date: it decides whether a call is due and makes it.
// It returns what holds the credential up, if anything does.
func (r *Reconciler) renew(ctx context.Context, p *pass) (*finding, error) {
	if p.credential.Spec.Suspend {
		return waiting(v1alpha1.ReasonSuspended, "spec.suspend is true: nothing is renewed or published."), nil
	}
	obstacle, err := r.obstacle(ctx, p)
	if err != nil {
		return nil, err
	}
	if p.state != nil {
		if wait := r.openClaim(p.key, p.state); wait != nil {
			return wait, nil
		}
		if request := p.state.document.revokeRequest(p.credential); request != "" {
			return r.revokeOnRequest(ctx, p, request, obstacle)
		}
	}
	if obstacle != nil {
		return obstacle, nil
	}
	o, err := r.observe(ctx, p)
	if err != nil {
		return nil, err
	}
	return r.follow(ctx, p, decide(o))
}

// obstacle is what would keep a new token from being published. While there is one
// nothing is spent.
func (r *Reconciler) obstacle(ctx context.Context, p *pass) (*finding, error) {
	var unknown *finding
	p.client, unknown = r.clientFor(p.credential)
	if problem := firstFinding(unknown, r.denied(p.credential), unworkable(p.credential)); problem != nil {
		return problem, nil
	}
	return r.rival(ctx, p)
}

// observe collects what decide looks at.
func (r *Reconciler) observe(ctx context.Context, p *pass) (observation, error) {
	o := observation{credential: p.credential, now: p.now}
	if p.state == nil {
		return o, nil
	}
	known, err := r.observeInputs(ctx, p)
	if err != nil {
		return o, err
	}
	return p.observed(known), nil
}

// observed is what decide looks at, with the inputs as they are known.
func (p *pass) observed(known inputsMemory) observation {
	return observation{
		credential: p.credential, now: p.now, document: &p.state.document,
		used: known.used, signInHash: known.signInHash, refreshHash: known.refreshHash,
	}
}

// follow does what was decided.
func (r *Reconciler) follow(ctx context.Context, p *pass, next plan) (*finding, error) {
	held := next.finding
	if next.action != actionNone {
		var err error
		if held, err = r.perform(ctx, p, next.action); err != nil {
			return nil, err
		}
	}
	if next.meanwhile && held != nil && held.person {
		if _, err := r.perform(ctx, p, actionRefresh); err != nil {
			return nil, err
		}
	}
	return held, nil
}

// perform reads what the call needs, claims it and makes it. The document is read
// again afterwards: what the call left there says what holds the credential up.
func (r *Reconciler) perform(ctx context.Context, p *pass, what action) (*finding, error) {
	in, err := r.readInputs(ctx, p.credential, what != actionRefresh)
	if err != nil {
		return nil, err
	}
	p.tellClientID(in)
	document, err := r.documentFor(p)
	if err != nil {
		return nil, err
	}
	if what != actionRefresh {
		if r.overtaken(p, what, in) {
			return nil, errConflict
		}
		in = p.finishFirstUse(in)
	}
	if problem := firstFinding(in.clientProblem, in.grantProblem); problem != nil {
		return problem, nil
	}
	service, closed := p.client, (*finding)(nil)
	if what == actionRefresh {
		service, closed = r.clientToRenew(p, document.Grant, in.app.ID)
	}
	if closed != nil {
		return closed, nil
	}
	s, err := p.prepare(what, service, in, document.Inputs, r.Random)
	if err != nil {
		return nil, err
	}
	asked := p.state != nil && observation{credential: p.credential, document: &document}.renewAsked()
	// A code that was judged is never sent again, whoever asks.
	if refusal := document.Inputs.refused(s.inputsHash); refusal != nil && (!asked || !in.code.Code.Empty() && refusal.judged()) {
		return refusal.finding(p.credential), nil
	}
	if document, err = r.forgiveOthers(ctx, p, s, document); err != nil {
		return nil, err
	}
	if err := r.addFinalizer(ctx, p); err != nil {
		return nil, err
	}
	gate := r.gates.of(service.Environment())
	if closed := gate.enter(r.Clock.Now()); closed != nil {
		return closed, nil
	}
	claimed := r.Clock.Now()
	if err := r.claim(ctx, p, s, document); err != nil {
		gate.cancel()
		if f := refusedWrite(err); f != nil {
			return f, nil
		}
		return nil, err
	}
	if what != actionRefresh {
		r.rememberInputs(p, in, document.Inputs)
	}
	if err := r.obtain(ctx, p, s, claimed); err != nil {
		return nil, err
	}
	p.signedIn = s.signIn && !onceOnly(p.credential)
	return r.afterCall(ctx, p, s)
}

// overtaken tells that a sign-in was decided on inputs that are no longer those that would be
// sent: the informer of a process that was stopped is late, while the state and the inputs
// were read just now. Another process may have used them meanwhile. A revocation that a
// person asks for signs in whatever the inputs are.
func (r *Reconciler) overtaken(p *pass, what action, in inputs) bool {
	if p.state == nil || p.state.document.revokeRequest(p.credential) != "" {
		return false
	}
	now := r.rememberInputs(p, in, p.state.document.Inputs)
	return decide(p.observed(now)).action != what
}

// forgiveOthers forgets what was refused before an input changed. That is done at once, because
// the call may have to wait, and the input may be changed back until then. A seed or a code
// that was judged once stays so.
func (r *Reconciler) forgiveOthers(ctx context.Context, p *pass, s spend, document document) (document, error) {
	d := document.clone()
	if p.state == nil || s.first != nil || !d.Inputs.forgiveOthers(s.signIn, s.inputsHash) {
		return document, nil
	}
	written, err := r.writeState(ctx, p.key, p.state, d)
	if err != nil {
		return document, err
	}
	p.state = written
	return written.document, nil
}

// finishFirstUse goes on with a seed or a code that was sent and not judged, as it was
// claimed, unless the Secret holds a newer one.
func (p *pass) finishFirstUse(in inputs) inputs {
	if p.state == nil || p.state.document.FirstUse == nil {
		return in
	}
	open := p.state.document.FirstUse
	if !open.isStill(in.used(p.state.document.Inputs, open.AccountsURL, nil)) {
		return in
	}
	in.grantProblem = nil
	in.seed = open.Seed.Secret
	in.code = spacesauth.AuthorizationCodeGrant{Code: open.Code.Secret, CodeVerifier: open.CodeVerifier.Secret, RedirectURI: open.RedirectURI}
	return in
}

// afterCall tells from the document what the call led to.
func (r *Reconciler) afterCall(ctx context.Context, p *pass, s spend) (*finding, error) {
	var err error
	if p.state, err = r.observeState(ctx, p.key, p.credential.UID); err != nil {
		return nil, err
	}
	if p.state == nil || p.state.problem != stateUsable {
		return nil, errConflict
	}
	p.now = r.Clock.Now()
	if refusal := p.state.document.Inputs.refused(s.inputsHash); refusal != nil {
		return refusal.finding(p.credential), nil
	}
	return decide(observation{credential: p.credential, now: p.now, document: &p.state.document}).finding, nil
}

func firstFinding(findings ...*finding) *finding {
	for _, f := range findings {
		if f != nil {
			return f
		}
	}
	return nil
}
