package grantstate

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// hashKeySize is the size of the key that hashes of inputs are taken with.
const hashKeySize = 32

// Document is the content of a state Secret: all that is needed to renew, to publish
// again and to revoke, without any other object. Its zero value is the document of a
// credential that has none.
type Document struct {
	// credentialUID is the credential the document belongs to.
	credentialUID types.UID
	// secretUID is the Secret that holds the document; known from the first save on.
	// Another UID there means that this is a copy.
	secretUID types.UID
	// claims counts the claims ever made. It orders answers.
	claims int64
	// claim is the spend under way, or one whose outcome nobody recorded.
	claim *Claim
	// claimTime is when the last claim was made, by its holder's clock.
	claimTime time.Time
	// grant is the living grant.
	grant *Grant
	// firstUse is the seed or the code that was claimed and that the service has not
	// judged yet.
	firstUse *FirstUse
	// isBehind tells that the document went back in time, and that what is published is newer.
	isBehind bool
	// meanwhile is what stays published while the newest token waits to be verified.
	meanwhile *Publishable
	// inputs remembers what was used and what was refused.
	inputs inputs
	// signInFailure and refreshFailure are the last failed spend of each kind, until
	// one succeeds. A sign-in that has to wait must not keep the living grant waiting.
	signInFailure, refreshFailure *Failure
	requests                      requests
	// rejections are what workloads said of published tokens.
	rejections rejections
	// deniedSince is when the lender of the client was first seen to refuse, without consent since;
	// zero while it consents.
	deniedSince time.Time
	// shortLived counts the sign-ins in a row whose grants the service ended before they were renewed once.
	shortLived int32
	// revoked tells that the last grant was revoked on request and has no successor.
	revoked bool
	// owned is what our Secrets have of ours.
	owned Owned
	// terms repeats the policy for when the credential is gone.
	terms Terms
	// pending are grants that wait to be revoked.
	pending []Listed

	// exports are grants that were given to other clusters.
	exports []Export

	// abandoned counts entries that a full list gave up since the last write.
	abandoned int
}

// Owned names what the operator put on the published Secret, and on the state Secret,
// so that it can be removed when spec no longer names it.
type Owned struct {
	Keys        []string
	Labels      []string
	Annotations []string
	StateLabels []string
}

// Terms repeats spec.revocation.
type Terms struct {
	Policy          v1alpha1.RevocationPolicy `json:"policy"`
	DeadlineSeconds int32                     `json:"deadlineSeconds"`
}

// TermsOf are the terms that a credential asks for.
func TermsOf(credential *v1alpha1.SpacesCredential) Terms {
	return Terms{
		Policy:          credential.EffectiveRevocationPolicy(),
		DeadlineSeconds: int32(credential.EffectiveRevocationDeadline() / time.Second),
	}
}

// Never tells that nothing is revoked unless a person asks for it.
func (t Terms) Never() bool { return t.Policy == v1alpha1.RevocationNever }

// Deadline is when a revocation is given up whose object was deleted at the given time.
func (t Terms) Deadline(deletion time.Time) time.Time {
	return deletion.Add(time.Duration(t.DeadlineSeconds) * time.Second)
}

// New begins the document of a credential, which stands in no Secret yet. The requests
// that are there count as handled: the first sign-in answers them. It fails when random
// does.
func New(credential *v1alpha1.SpacesCredential, random io.Reader) (Document, error) {
	d := Document{credentialUID: credential.UID, inputs: inputs{Key: make([]byte, hashKeySize)}, terms: TermsOf(credential)}
	if _, err := io.ReadFull(random, d.inputs.Key); err != nil {
		return Document{}, fmt.Errorf("reading random bytes: %w", err)
	}
	d.requests.answer(credential)
	return d, nil
}

// Successor begins the document that follows one that was released. It takes over what
// was used and refused, so that a seed is not sent a second time, and what was
// published.
func (d Document) Successor(credential *v1alpha1.SpacesCredential) Document {
	d = d.Clone()
	next := Document{
		credentialUID: credential.UID, claims: d.claims, inputs: d.inputs, rejections: d.rejections, shortLived: d.shortLived,
		owned: d.owned, terms: TermsOf(credential), exports: d.exports,
	}
	next.inputs.spent(d.firstUse)
	next.requests.answer(credential)
	return next
}

// CredentialUID is the credential that the document belongs to.
func (d Document) CredentialUID() types.UID { return d.credentialUID }

// SecretUID is the Secret that the document was written into; empty before that.
func (d Document) SecretUID() types.UID { return d.secretUID }

// StandsIn notes the Secret that holds the document.
func (d *Document) StandsIn(secret types.UID) { d.secretUID = secret }

// Terms are those that were recorded last.
func (d Document) Terms() Terms { return d.terms }

// Adopt records the terms that a credential asks for now, and tells whether they are new.
func (d *Document) Adopt(terms Terms) bool {
	changed := d.terms != terms
	d.terms = terms
	return changed
}

// Grant is the living grant, or nil.
func (d Document) Grant() *Grant { return d.grant.clone() }

// Token is the newest token answer, or nil.
func (d Document) Token() *Token {
	if d.grant == nil {
		return nil
	}
	return d.grant.clone().Token
}

// FirstUse is the seed or the code that is on its way to the service, or nil.
func (d Document) FirstUse() *FirstUse { return clone(d.firstUse) }

// Revoked tells that the last grant was revoked on request and has no successor.
func (d Document) Revoked() bool { return d.revoked }

// Publishable is what is to be published: the newest token, or the one before while the
// newest waits to be verified. It is nil where there is neither, and where what is published
// is newer than the document.
func (d Document) Publishable() *Publishable {
	if d.isBehind {
		return nil
	}
	if g := d.grant; g != nil && g.Token != nil && g.Token.Check == nil {
		return g.clone().publishable()
	}
	if d.grant == nil {
		return nil
	}
	return clone(d.meanwhile)
}

// Owned is what our Secrets have of ours, as far as it was noted.
func (d Document) Owned() Owned { return d.owned }

// Own notes what is about to be published beside what was, and tells whether any
// of it is new.
func (d *Document) Own(p Owned) bool {
	before := d.owned
	d.owned.Keys = union(d.owned.Keys, p.Keys)
	d.owned.Labels = union(d.owned.Labels, p.Labels)
	d.owned.Annotations = union(d.owned.Annotations, p.Annotations)
	d.owned.StateLabels = union(d.owned.StateLabels, p.StateLabels)
	return !reflect.DeepEqual(d.owned, before)
}

// maxOwned bounds each list of what was published and may have to be removed again: four times
// what a spec can name.
const maxOwned = 128

// union adds what is new. A list that edits filled, while nothing could be published, forgets
// what it holds longest.
func union(before, now []string) []string {
	all := slices.Clone(before)
	for _, name := range slices.Sorted(slices.Values(now)) {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all[max(0, len(all)-maxOwned):]
}

// OwnOnly notes that what is published holds nothing else of ours.
func (d *Document) OwnOnly(p Owned) {
	d.owned = Owned{}
	d.Own(p)
}

// Serves notes the generation of spec that the token serves that is to be published, and
// tells whether that is news.
func (d *Document) Serves(generation int64) bool {
	var token *Token
	switch {
	case d.grant != nil && d.grant.Token != nil && d.grant.Token.Check == nil:
		token = d.grant.Token
	case d.grant != nil && d.meanwhile != nil:
		token = &d.meanwhile.Token
	default:
		return false
	}
	isNew := token.Generation != generation
	token.Generation = generation
	return isNew
}

// Abandoned counts the grants that a full list gave up since the document was read or
// written.
func (d Document) Abandoned() int { return d.abandoned }

// Written is the document as it stands in its Secret: what was to be reported of the
// write is reported.
func (d Document) Written() Document {
	d.abandoned = 0
	return d
}

// String keeps the document out of logs: even redacted it is nobody's reading.
func (d Document) String() string { return fmt.Sprintf("state document of %s", d.credentialUID) }

// Format implements [fmt.Formatter]: no verb reaches what is inside.
func (d Document) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(d.String())) }

// GomegaString keeps it out of the messages of failed tests.
func (d Document) GomegaString() string { return d.String() }

// MarshalLog implements logr's Marshaler.
func (d Document) MarshalLog() any { return d.String() }

// Clone returns a copy that can be changed without changing d.
func (d Document) Clone() Document {
	d.claim = clone(d.claim)
	d.signInFailure, d.refreshFailure = clone(d.signInFailure), clone(d.refreshFailure)
	d.grant = d.grant.clone()
	d.firstUse = clone(d.firstUse)
	if d.firstUse != nil {
		d.firstUse.Lender, d.firstUse.Import = clone(d.firstUse.Lender), clone(d.firstUse.Import)
	}
	d.meanwhile = clone(d.meanwhile)
	d.inputs.Refused, d.inputs.Imported = slices.Clone(d.inputs.Refused), slices.Clone(d.inputs.Imported)
	d.rejections.Times = slices.Clone(d.rejections.Times)
	d.owned = Owned{
		Keys: slices.Clone(d.owned.Keys), Labels: slices.Clone(d.owned.Labels),
		Annotations: slices.Clone(d.owned.Annotations), StateLabels: slices.Clone(d.owned.StateLabels),
	}
	d.pending, d.exports = slices.Clone(d.pending), slices.Clone(d.exports)
	return d
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	value := *p
	return &value
}
