package grantstate

import (
	"slices"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
)

const (
	// youngShare is the share of its life in which a token counts as young: who was refused with it read
	// too early, or has another one.
	youngShare = 10
	// maxRejections is how many renewals there are in rejectionSpan because workloads were refused.
	maxRejections = 3
	rejectionSpan = time.Hour
)

// rejections are what workloads said of published tokens, as far as it was acted on.
type rejections struct {
	// Handled is the fingerprint of the token that was renewed last because a workload was refused with it.
	Handled string `json:"handled,omitempty"`
	// Times are when that was claimed, the last ones.
	Times []time.Time `json:"times,omitempty"`
}

// claim notes that a renewal is asked for because of a rejection.
func (r *rejections) claim(at time.Time) {
	r.Times = append(slices.Clone(r.Times), at)
	r.Times = r.Times[max(0, len(r.Times)-maxRejections):]
}

// freeAt is when one more may be asked for; zero for now.
func (r rejections) freeAt(now time.Time) time.Time {
	if len(r.Times) < maxRejections {
		return time.Time{}
	}
	free := r.Times[0].Add(rejectionSpan)
	if !backoff.Within(now, free, rejectionSpan) {
		return time.Time{}
	}
	return free
}

// RejectionHeardAt is when the published token is renewed because a workload was refused with it; zero
// where it is not. A guest is made anew on a person's request alone, and what only a person can renew
// is not asked for.
func (o Observation) RejectionHeardAt() time.Time {
	d, grant := o.Document, o.Document.grant
	switch {
	case o.Rejected == "", o.Rejected == d.rejections.Handled, grant == nil, o.Credential.Spec.GrantType == v1alpha1.GrantTypeAnonymous:
		return time.Time{}
	case grant.Token == nil, grant.Token.Check != nil, grant.Token.AccessToken.Fingerprint() != o.Rejected:
		return time.Time{}
	case grant.RefreshToken.Empty() && OnceOnly(o.Credential):
		return time.Time{}
	}
	token := grant.Token
	at := token.IssueTime.Add(token.ExpirationTime.Sub(token.IssueTime) / youngShare)
	if free := d.rejections.freeAt(o.Now); free.After(at) {
		at = free
	}
	return at
}

// rejection is the fingerprint of the published token, where it is renewed now because a workload was
// refused with it, or "".
func (o Observation) rejection() string {
	if at := o.RejectionHeardAt(); at.IsZero() || o.Now.Before(at) {
		return ""
	}
	return o.Rejected
}

// IsForRejection tells that the spend is made because a workload was refused.
func (s Spend) IsForRejection() bool { return s.rejected != "" }

// HandledRejection is the fingerprint of the token that was renewed last because a workload was refused
// with it.
func (d Document) HandledRejection() string { return d.rejections.Handled }
