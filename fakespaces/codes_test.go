package fakespaces_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func (w *world) exchange(code string) reply {
	return w.post("/oauth2/access_token", codeForm(code, ""))
}

func TestACodeThatIsSentAgain(t *testing.T) {
	for sentence, c := range map[string]struct {
		fault               fakespaces.Fault // of the first exchange
		delivered, replayed int
		dead                int
	}{
		"after its answer was delivered is a mistake":        {fakespaces.NoFault, 1, 0, 1},
		"after an odd answer that can be read is a mistake":  {fakespaces.FaultStringExpiresIn, 1, 0, 1},
		"after its answer was lost is no mistake":            {fakespaces.FaultLostAfter, 0, 1, 1},
		"after its answer broke off is no mistake":           {fakespaces.FaultCutBody, 0, 1, 1},
		"after a proxy threw its answer away is no mistake":  {fakespaces.FaultHTML502After, 0, 1, 1},
		"after a call that did no work is the first attempt": {fakespaces.FaultHTML502, 0, 0, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, fakespaces.WithStall(time.Millisecond))
			code := w.IssueCode(app, bot, callback, "")
			w.Next(fakespaces.OperationAuthorizationCode, c.fault)
			w.exchange(code)
			equal(t, "it works now", w.exchange(code).status == 200, c.dead == 0)

			l := w.Ledger()
			equal(t, "codes sent again after delivery", l.CodesSentAgainAfterDelivery, c.delivered)
			equal(t, "replays of lost answers", l.ReplaysOfLostAnswers, c.replayed)
			equal(t, "refresh tokens sent again", l.SentAgainAfterDelivery, 0)
			equal(t, "grants dead of it", l.DeadReasons[fakespaces.ReasonCodeReused], c.dead)
			equal(t, "it is in the summary",
				strings.Contains(l.String(), "codes sent again after their answer was delivered: 1\n"), c.delivered == 1)
		})
	}
}

func TestACodeSentAgainAtOnceAfterItsAnswerIsAlwaysAMistake(t *testing.T) {
	w := newWorld(t)
	for range 100 {
		code := w.IssueCode(app, bot, callback, "")
		w.exchange(code)
		w.client.CloseIdleConnections()
		w.exchange(code)
	}
	equal(t, "codes sent again after delivery", w.Ledger().CodesSentAgainAfterDelivery, 100)
	equal(t, "replays of lost answers", w.Ledger().ReplaysOfLostAnswers, 0)
}

func TestACodeSentAgainBeforeTheFateOfItsAnswerIsKnown(t *testing.T) {
	w := newWorld(t, fakespaces.WithReuseDetection(false))
	code := w.IssueCode(app, bot, callback, "")
	replay := make(chan reply, 1)
	w.Next(fakespaces.OperationAuthorizationCode, fakespaces.FaultLostAfter)
	w.InterceptAnswer(func(call fakespaces.Call) {
		if call.Number == 1 {
			replay <- w.exchange(code)
		}
	})
	equal(t, "it breaks", w.exchange(code).err != nil, true)
	w.expectRefusal(<-replay, 400, "invalid_grant")
	w.server.Close() // every call has landed
	equal(t, "codes sent again after delivery", w.Ledger().CodesSentAgainAfterDelivery, 0)
	equal(t, "replays of lost answers", w.Ledger().ReplaysOfLostAnswers, 1)
}

func TestACodeNeedsTheVerifierOfItsChallenge(t *testing.T) {
	for sentence, c := range map[string]struct {
		challenge, method, verifier string
		works                       bool
	}{
		"S256 with its verifier":            {challenge(), "S256", verifier, true},
		"S256 with another verifier":        {challenge(), "S256", verifier + "x", false},
		"S256 with the challenge itself":    {challenge(), "S256", challenge(), false},
		"S256 without a verifier":           {challenge(), "S256", "", false},
		"plain with its verifier":           {verifier, "plain", verifier, true},
		"plain with another verifier":       {verifier, "plain", verifier + "x", false},
		"plain with the verifier of S256":   {challenge(), "plain", verifier, false},
		"plain without a verifier":          {verifier, "plain", "", false},
		"no challenge, and no verifier too": {"", "", "", true},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			query := asking("code_challenge", c.challenge, "code_challenge_method", c.method)
			_, brought := w.location(w.decide(w.ticket(query), "allow"))
			got := w.post("/oauth2/access_token", codeForm(brought.Get("code"), c.verifier))
			if c.works {
				w.expectStatus(got, 200)
			} else {
				w.expectRefusal(got, 400, "invalid_grant")
			}
			equal(t, "the challenge is a secret", slices.Contains(w.Secrets(), c.challenge), c.method == "plain" || c.verifier == challenge())
			equal(t, "what was presented is a secret", slices.Contains(w.Secrets(), c.verifier), c.verifier != "")
		})
	}
}
