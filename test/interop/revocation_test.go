package interop

import (
	"context"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func (w *world) revoke(client spacesauth.Application, token spacesauth.Secret) error {
	return w.client.Revoke(context.Background(), client, token)
}

// The server keeps RFC 7009 §2.1: a client that has a secret must prove that.
func TestRevocationNeedsTheSecretOfAClientThatHasOne(t *testing.T) {
	for sentence, given := range map[string]struct {
		owner, revoker spacesauth.Application
		kind           spacesauth.Kind // "" for success
	}{
		"with its secret":          {app, app, ""},
		"without it":               {app, application(app.ID, ""), spacesauth.KindRejectedClient},
		"with a wrong one":         {app, application(app.ID, "wrong"), spacesauth.KindRejectedClient},
		"of a client nobody knows": {app, application("x", "x"), spacesauth.KindRejectedClient},
		"of one that has none":     {public, public, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			granted := w.must(given.owner, login())
			err := w.revoke(given.revoker, granted.RefreshToken)
			if given.kind != "" {
				expectFailure(t, err, given.kind, 401, "invalid_client")
				w.expectLiving(1)
				w.must(given.owner, refresh(granted.RefreshToken))
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			w.expectLiving(0)
			if w.works(granted) {
				t.Error("the access token works")
			}
			w.expectDead(given.owner, granted.RefreshToken)
		})
	}
}

func TestRevocationOfWhatIsGoneIsDone(t *testing.T) {
	w := newWorld(t)
	first := w.must(app, login())
	second := w.must(app, refresh(first.RefreshToken))
	for _, token := range []spacesauth.Secret{second.RefreshToken, second.RefreshToken, spacesauth.NewSecret("ory_rt_x.y"), spacesauth.NewSecret("x")} {
		if err := w.revoke(app, token); err != nil {
			t.Error(err)
		}
	}
	w.expectLiving(0)
}

// This server says 200 where it revoked nothing: the refresh token is not the newest of its
// grant, or another client's, or the store is away. No client can tell that from success, so
// what counts is that the newest token is sent.
func TestAServerThatConfirmsWhatItDidNotDo(t *testing.T) {
	w := newWorld(t)
	first := w.must(app, login())
	granted := w.must(app, refresh(first.RefreshToken))
	if err := w.revoke(app, first.RefreshToken); err != nil {
		t.Errorf("by an earlier token of the grant: %v", err)
	}
	if err := w.revoke(another, granted.RefreshToken); err != nil {
		t.Errorf("by another client: %v", err)
	}
	w.Fail(GrantsAway)
	if err := w.revoke(app, granted.RefreshToken); err != nil {
		t.Errorf("with its store away: %v", err)
	}
	w.Fail("")
	w.expectLiving(1)
	if err := w.revoke(app, w.must(app, refresh(granted.RefreshToken)).RefreshToken); err != nil {
		t.Error(err)
	}
	w.expectLiving(0)
}
