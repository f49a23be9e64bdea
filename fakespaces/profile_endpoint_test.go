package fakespaces_test

import (
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func TestAYoungTokenWorksOnlyAfterTheReplicationDelay(t *testing.T) {
	w := newWorld(t, fakespaces.WithReplicationDelay(20*time.Second))
	token := w.signIn().access
	equal(t, "TokenWorks", w.TokenWorks(token), true)
	w.expectStatus(w.whoAmI(token), 401)
	w.pass(20*time.Second - 1)
	w.expectStatus(w.whoAmI(token), 401)
	w.pass(1)
	w.expectStatus(w.whoAmI(token), 200)
	w.SetReplicationDelay(time.Minute)
	w.expectStatus(w.whoAmI(token), 401)
	w.expectStatus(w.present("jwt", w.beGuest(nil).text("token")), 200)
}

func TestAForbiddenProfileSaysNothingOfTheToken(t *testing.T) {
	w := newWorld(t)
	token := w.signIn().access
	w.Next(fakespaces.OperationProfile, fakespaces.FaultForbidden403)
	got := w.whoAmI(token)
	w.expectStatus(got, 403)
	equal(t, "code", got.text("code"), "permission_error")
	equal(t, "it has a message", got.text("message") != "", true)
	w.expectWorks(token, true)
}
