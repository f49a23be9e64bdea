package grantstate

import (
	"testing"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// The ten minutes count from the first refusal that was seen, in whichever process, and consent ends
// them.
func TestARefusalCountsFromWhenItWasFirstSeen(t *testing.T) {
	d := Document{credentialUID: "uid"}
	at := noon.Add
	if d.IsWithdrawn(noon) {
		t.Error("nobody refused")
	}
	if !d.Deny(at(0)) || d.Deny(at(time.Minute)) {
		t.Error("the first refusal alone is news")
	}
	content, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if d, err = Read(content); err != nil {
		t.Fatal(err)
	}
	if d.IsWithdrawn(at(Withdrawal-time.Second)) || !d.IsWithdrawn(at(Withdrawal)) {
		t.Error("a process that begins anew goes on with the time of the one before")
	}
	if !d.Allow() || d.Allow() || d.IsWithdrawn(at(time.Hour)) {
		t.Error("consent ends the refusal, once")
	}
	d.Deny(at(time.Hour))
	if !d.Deny(at(0)) || d.IsWithdrawn(at(Withdrawal-time.Second)) {
		t.Error("after the clock was set back it counts anew")
	}
}

// A grant remembers whose client it is, wherever it goes, so that it can be revoked when that object
// is gone.
func TestAGrantRemembersItsLender(t *testing.T) {
	lender := &Lender{Name: "corporate", UID: "lender", Secret: "corporate-client", ClientIDKey: "id", ClientSecretKey: "secret"}
	d, err := New(credentialOf(v1alpha1.GrantTypePassword), zeros{})
	if err != nil {
		t.Fatal(err)
	}
	given := Given{
		AccountsURL: "https://a.test", Application: spacesauth.Application{ID: "app"}, Lender: lender,
		Username: "u", Password: spacesauth.NewSecret("p"),
	}
	o := Observation{Credential: credentialOf(v1alpha1.GrantTypePassword), Document: d, Inputs: d.See(given), Now: noon}
	spend, _, err := o.SignIn("staging", given, zeros{})
	if err != nil {
		t.Fatal(err)
	}
	d.Claim(spend, o.Credential, "me", noon, time.Second)
	d.Record(d.Answer(spend, o.Credential, spacesauth.Answer{RefreshToken: spacesauth.NewSecret("r"), Lifetime: time.Hour, IssueTime: noon}, nil, noon), noon)
	if !d.IsLentBy("lender") || d.IsLentBy("another") {
		t.Error("the grant does not know its lender")
	}
	d.Withdraw(noon)
	if len(d.pending) != 1 || d.pending[0].Lender == nil || *d.pending[0].Lender != *lender || !d.pending[0].Always {
		t.Errorf("the list does not: %+v", d.pending)
	}
	if d.HandledRevokeRequest() != "" || !d.Revoked() {
		t.Error("no request of a person was handled by that")
	}
}

// The same client ID from a Secret of the namespace is another client.
func TestALentClientIsAnother(t *testing.T) {
	d := Document{inputs: inputs{Key: []byte("key")}}
	own := Given{AccountsURL: "https://a.test", Application: spacesauth.Application{ID: "app"}}
	lent := own
	lent.Lender = &Lender{Name: "corporate", UID: "1"}
	d.inputs.Used = d.See(own).used
	if !d.ChangedSince(d.See(lent)) {
		t.Error("a change from one's own client to a lent one is none")
	}
	d.inputs.Used = d.See(lent).used
	lent.Lender = &Lender{Name: "corporate", UID: "2"}
	if d.ChangedSince(d.See(lent)) || !d.ChangedSince(d.See(own)) {
		t.Error("an object that was made anew lends the same client")
	}
}

// zeros is a source of no randomness.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
