package controllers

import (
	"context"
	"slices"
	"strings"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// maxRequest bounds what is kept and told of a request's value; longer ones are
// compared by their beginning.
const maxRequest = 256

// requestOf returns the value of a request annotation, bounded.
func requestOf(credential *v1alpha1.SpacesCredential, annotation string) string {
	value := credential.Annotations[annotation]
	if len(value) > maxRequest {
		// Half a character would come back from the state as another one, and the
		// request would never count as handled.
		value = strings.ToValidUTF8(value[:maxRequest], "")
	}
	return value
}

// renewRequest is the request for a renewal that is not handled yet, or "".
func (d document) renewRequest(credential *v1alpha1.SpacesCredential) string {
	request := requestOf(credential, v1alpha1.AnnotationRenewRequestedAt)
	if request == d.HandledRenewRequest {
		return ""
	}
	return request
}

// revokeRequest is the request for a revocation that is not handled yet, or "".
func (d document) revokeRequest(credential *v1alpha1.SpacesCredential) string {
	request := requestOf(credential, v1alpha1.AnnotationRevokeRequestedAt)
	if request == d.HandledRevokeRequest {
		return ""
	}
	return request
}

// answersRequests marks the requests that are there when a document is made as
// handled: its first sign-in answers them.
func (d *document) answersRequests(credential *v1alpha1.SpacesCredential) {
	d.HandledRenewRequest = requestOf(credential, v1alpha1.AnnotationRenewRequestedAt)
	d.HandledRevokeRequest = requestOf(credential, v1alpha1.AnnotationRevokeRequestedAt)
}

// renewAsked tells whether a person asks for a renewal that was not tried yet: it
// goes before any backoff and lifts a refusal, once.
func (o observation) renewAsked() bool {
	request := o.document.renewRequest(o.credential)
	return request != "" && request != o.document.TriedRenewRequest
}

// revokeOnRequest revokes every grant because a person asks for it, whatever the
// policy says. A password or a guest tries one sign-in first; whether or not that succeeds, the
// old grants go. An obstacle is what would keep a new token from being published.
func (r *Reconciler) revokeOnRequest(ctx context.Context, p *pass, request string, obstacle *finding) (*finding, error) {
	held := obstacle
	if obstacle == nil && !onceOnly(p.credential) {
		var err error
		if held, err = r.perform(ctx, p, actionSignIn); err != nil {
			return nil, err
		}
	}
	if p.state.document.HandledRevokeRequest != request {
		d := p.state.document.clone()
		d.revokeAll(request, p.now)
		written, err := r.writeState(ctx, p.key, p.state, d)
		if err != nil {
			return nil, err
		}
		p.state = written
	}
	if held == nil {
		held = decide(observation{credential: p.credential, now: p.now, document: &p.state.document}).finding
	}
	return held, nil
}

// revokeAll lists every grant as due now.
func (d *document) revokeAll(request string, now time.Time) {
	if d.Grant != nil {
		d.listAlways(d.Grant, now)
		d.Grant = nil
		d.Revoked = true
	}
	if d.FirstUse != nil {
		d.listAlways(d.FirstUse.grant(), now)
		d.Inputs.Used.use(d.FirstUse)
		d.FirstUse, d.Revoked = nil, true
	}
	for i := range d.Pending {
		entry := &d.Pending[i]
		entry.Always, entry.NotBefore, entry.TokenExpirationTime = true, now, now
		entry.NextAttemptTime, entry.GiveUpTime = time.Time{}, now.Add(revocationPatience)
	}
	d.Previous = nil
	d.expectNothing()
	d.HandledRevokeRequest = request
}

// expectNothing makes whatever is still under way late: an answer that comes joins the
// revocation list, instead of bringing a grant back that was given up.
func (d *document) expectNothing() {
	d.Claim = nil
	d.Inputs.Refused = slices.Clone(d.Inputs.Refused)
	for i := range d.Inputs.Refused {
		d.Inputs.Refused[i].GrantID = ""
	}
}
