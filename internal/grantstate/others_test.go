package grantstate

import (
	"testing"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestSignInsSlowDownWhereOthersSignIn(t *testing.T) {
	for sentence, c := range map[string]struct {
		shortLived int
		after      time.Duration
		annotated  bool
		used       used
		want       Action
		hold       Hold
	}{
		"not after one grant that ended":   {shortLived: 1, after: time.Minute, want: SignIn},
		"after two":                        {shortLived: 2, after: time.Minute, hold: OthersSignIn},
		"for a quarter of an hour":         {shortLived: 7, after: 15*time.Minute - time.Second, hold: OthersSignIn},
		"and no longer":                    {shortLived: 7, after: 15 * time.Minute, want: SignIn},
		"but for a person who asks":        {shortLived: 2, after: time.Minute, annotated: true, want: SignIn},
		"but for another user":             {shortLived: 2, after: time.Minute, used: used{Login: "another"}, want: SignIn},
		"not by a clock that was set back": {shortLived: 2, after: -time.Hour, want: SignIn},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := Observation{Credential: credentialOf(v1alpha1.GrantTypePassword), Now: noon.Add(c.after), Inputs: Seen{used: c.used, signIn: "sign-in", refresh: "refresh"}}
			o.Document = Document{
				shortLived: int32(c.shortLived), inputs: inputs{Used: used{Login: "login"}},
				grant: &Grant{ID: "g", Condition: Refused, StartTime: noon, RefreshToken: kept{spacesauth.NewSecret("r")}},
			}
			if c.annotated {
				o.Credential.Annotations = map[string]string{v1alpha1.AnnotationRenewRequestedAt: "now"}
			}
			if got := Decide(o); got.Action != c.want || got.Hold != c.hold {
				t.Errorf("decided %q (%s), want %q (%s)", got.Action, got.Hold, c.want, c.hold)
			}
		})
	}
}
