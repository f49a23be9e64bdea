package grantstate

import (
	"slices"
	"testing"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// rotating plays a service whose client has one secret, and a credential that is given two.
type rotating struct {
	t     *testing.T
	d     Document
	given Given
	now   time.Time
	// has is the secret that the service has; sent are those that it got.
	has  string
	sent []string
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	d, err := New(credentialOf(v1alpha1.GrantTypePassword), zeros{})
	if err != nil {
		t.Fatal(err)
	}
	return &rotating{t: t, d: d, now: noon, given: Given{
		AccountsURL: "https://a.test", Application: spacesauth.Application{ID: "app", Secret: spacesauth.NewSecret("new")}, Previous: spacesauth.NewSecret("old"),
		Username: "u", Password: spacesauth.NewSecret("p"),
	}}
}

// look decides and calls, once, and tells what was decided.
func (w *rotating) look() Verdict {
	w.t.Helper()
	credential := credentialOf(v1alpha1.GrantTypePassword)
	base := w.d.See(w.given)
	o := Observation{Credential: credential, Document: w.d, Inputs: w.d.InTurn(base), Now: w.now}
	verdict := Decide(o)
	if verdict.Action == Nothing {
		return verdict
	}
	w.d.ForgiveOthers(verdict.Action, credential, base)
	given := o.Inputs.Sent(w.given)
	var spend Spend
	if verdict.Action == SignIn {
		var err error
		if spend, given, err = o.SignIn("staging", w.given, zeros{}); err != nil {
			w.t.Fatal(err)
		}
	} else {
		spend = o.Refresh()
	}
	w.d.Claim(spend, credential, "me", w.now, time.Second)
	secret := given.Application.Secret.Reveal()
	w.sent = append(w.sent, secret)
	answer, failed := spacesauth.Answer{AccessToken: spacesauth.NewSecret("a"), RefreshToken: spacesauth.NewSecret("r"), Lifetime: time.Hour, IssueTime: w.now}, error(nil)
	if secret != w.has {
		answer, failed = spacesauth.Answer{}, &spacesauth.Error{Kind: spacesauth.KindRejectedClient, StatusCode: 401, Code: "invalid_client"}
	}
	w.d.Record(w.d.Answer(spend, credential, answer, failed, w.now), w.now)
	w.now = w.now.Add(time.Second)
	return verdict
}

// lookTimes looks so often, a second apart, and returns what was sent.
func (w *rotating) lookTimes(n int) []string {
	w.t.Helper()
	w.sent = nil
	for range n {
		w.look()
		w.now = w.now.Add(time.Second)
	}
	return w.sent
}

func (w *rotating) expect(what string, got []string, want ...string) {
	w.t.Helper()
	if !slices.Equal(got, want) {
		w.t.Errorf("%s: sent %v, want %v", what, got, want)
	}
}

func TestTwoSecretsOfAClientAreTriedInTurn(t *testing.T) {
	w := newRotating(t)
	w.has = "old"
	w.expect("the service does not know the new one yet", w.lookTimes(5), "new", "old")
	w.now = w.now.Add(45 * time.Minute)
	w.expect("a renewal tries the present one first again", w.lookTimes(5), "new", "old")
	w.has = "new"
	w.now = w.now.Add(45 * time.Minute)
	w.expect("and stays with it once it is known", w.lookTimes(5), "new")
	w.has = "a third"
	w.now = w.now.Add(45 * time.Minute)
	w.expect("two that are refused are not tried in circles", w.lookTimes(30), "new", "old")
	w.now = w.now.Add(time.Hour)
	w.expect("but both again when the time has come", w.lookTimes(30), "new", "old")
	w.has = "old"
	w.now = w.now.Add(2 * time.Hour)
	w.expect("so that either can be the one that works", w.lookTimes(30), "new", "old")
}

func TestTwoSecretsThatAreRefusedAtFirst(t *testing.T) {
	w := newRotating(t)
	w.has = "neither"
	w.expect("each is refused once", w.lookTimes(30), "new", "old")
	if verdict := w.look(); verdict.Hold != InBackoff {
		t.Errorf("it is held by %q", verdict.Hold)
	}
	w.now = w.now.Add(time.Hour)
	w.expect("they are asked again together", w.lookTimes(30), "new", "old")
	w.has, w.given.Application.Secret = "newer", spacesauth.NewSecret("newer")
	w.expect("a changed secret is another try", w.lookTimes(5), "newer")
	w.given.Previous = spacesauth.Secret{}
	w.now = w.now.Add(45 * time.Minute)
	w.expect("after the rotation there is one again", w.lookTimes(5), "newer")
}

// A service that changes the secret between the two tries refuses both, and neither for good.
func TestAClientThatChangesBetweenItsTwoTries(t *testing.T) {
	meetTheMoment := func(w *rotating) {
		w.t.Helper()
		w.has = "old"
		w.expect("the new one is not known yet", w.lookTimes(1), "new")
		w.has = "new"
		w.expect("and then the old one not any more", w.lookTimes(5), "old")
	}
	for when, goOn := range map[string]func(*rotating){
		"while there are two":           func(*rotating) {},
		"when there is one again":       func(w *rotating) { w.given.Previous = spacesauth.Secret{} },
		"after a change of the one too": func(w *rotating) { w.given.Previous = spacesauth.NewSecret("older") },
	} {
		t.Run(when, func(t *testing.T) {
			w := newRotating(t)
			meetTheMoment(w)
			goOn(w)
			w.now = w.now.Add(5 * time.Minute)
			if sent := w.lookTimes(5); w.d.Token() == nil {
				t.Errorf("it does not go on by itself: sent %v", sent)
			}
		})
	}
}

// The one secret was refused for good before the one of before was put beside it.
func TestASecretThatWasRefusedAloneWaitsWithTheOther(t *testing.T) {
	w := newRotating(t)
	w.has = "old"
	w.given.Previous = spacesauth.Secret{}
	w.expect("alone it is refused", w.lookTimes(5), "new")
	if verdict := w.look(); verdict.Hold != RefusedBefore {
		t.Errorf("it is held by %q", verdict.Hold)
	}
	w.given.Previous = spacesauth.NewSecret("old")
	w.has = "new"
	w.expect("the other is refused, since the service has changed it", w.lookTimes(5), "old")
	w.now = w.now.Add(time.Hour)
	w.expect("but the one is not forgotten", w.lookTimes(5), "new")
}
