package grantstate

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Lender is the ClusterSpacesClient whose client a grant was made with, as far as the grant has to
// know it when that object is gone.
type Lender struct {
	Name string    `json:"name"`
	UID  types.UID `json:"uid"`
	// Secret holds the client under these keys, in the operator's client namespace: a revocation may
	// need its secret. The secret itself stands in no document.
	Secret                  string `json:"secret"`
	ClientIDKey             string `json:"clientIDKey"`
	ClientSecretKey         string `json:"clientSecretKey"`
	PreviousClientSecretKey string `json:"previousClientSecretKey,omitempty"`
}

// lentMark tells in the hash of a client that it was lent: one and the same ID from a Secret beside
// the credential is another client.
const lentMark = "ClusterSpacesClient"

// Withdrawal is for how long a lender must be seen to refuse, before that ends renewals. Somebody's
// mistake in a list, or a label that is put back, costs no grant.
const Withdrawal = 10 * time.Minute

// Deny notes that the lender was seen to refuse, and tells whether that is news. The time stands in
// the document, so that a process that starts anew does not begin to count anew. One that lies ahead
// of the clock counts from now on: nothing is revoked because a clock was set back.
func (d *Document) Deny(now time.Time) bool {
	if !d.deniedSince.IsZero() && !d.deniedSince.After(now) {
		return false
	}
	d.deniedSince = now.UTC().Truncate(time.Second)
	return true
}

// Allow notes that the lender consents, and tells whether that is news.
func (d *Document) Allow() bool {
	isNews := !d.deniedSince.IsZero()
	d.deniedSince = time.Time{}
	return isNews
}

// IsWithdrawn tells that the lender was seen to refuse for long enough.
func (d Document) IsWithdrawn(now time.Time) bool {
	return !d.deniedSince.IsZero() && !now.Before(d.deniedSince.Add(Withdrawal))
}

// Withdraw lists every grant that the lender lent its client to as due now, whatever the policy
// says, because the lender wants it so.
func (d *Document) Withdraw(now time.Time) { d.revokeAll(now) }

// IsLentBy tells that the living grant, or a seed or code on its way, was made with the client of
// this very object: one that was made anew under the same name has lent nothing.
func (d Document) IsLentBy(client types.UID) bool {
	isOf := func(lender *Lender) bool { return lender != nil && lender.UID == client }
	return d.grant != nil && isOf(d.grant.Lender) || d.firstUse != nil && isOf(d.firstUse.Lender)
}

// LentBy returns the spend of a lent grant with what is known of its lender now.
func (s Spend) LentBy(lender *Lender) Spend {
	if lender != nil && s.grant.Lender != nil {
		s.grant.Lender = clone(lender)
	}
	return s
}

// IsLent tells that the grant was made with a lent client.
func (s Spend) IsLent() bool { return s.grant.Lender != nil }
