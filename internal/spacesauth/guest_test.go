package spacesauth_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestAGuest(t *testing.T) {
	for sentence, c := range map[string]struct {
		fault    fakespaces.Fault
		lifetime time.Duration
		kind     spacesauth.Kind
	}{
		"lives as long as its token says":                   {lifetime: 6 * time.Hour},
		"may have an issuer that is a text":                 {fault: fakespaces.FaultStringIssuer, lifetime: 6 * time.Hour},
		"without an expiry lives for a day":                 {fault: fakespaces.FaultGuestWithoutExp, lifetime: 24 * time.Hour},
		"whose token is no JWT lives for a day":             {fault: fakespaces.FaultGuestOpaque, lifetime: 24 * time.Hour},
		"may come as plain text":                            {fault: fakespaces.FaultTextPlain, lifetime: 6 * time.Hour},
		"may come with fields that nobody knows":            {fault: fakespaces.FaultUnknownFields, lifetime: 6 * time.Hour},
		"is not had from a web page":                        {fault: fakespaces.FaultHTML400, kind: spacesauth.KindUnclear},
		"is asked for in vain while the service is out":     {fault: fakespaces.FaultServerError500, kind: spacesauth.KindUnavailable},
		"is not fetched from elsewhere":                     {fault: fakespaces.FaultRedirect307, kind: spacesauth.KindUnavailable},
		"has to wait where patience is asked for":           {fault: fakespaces.FaultThrottledSeconds, kind: spacesauth.KindThrottled},
		"may have been made though no answer came":          {fault: fakespaces.FaultLostAfter, kind: spacesauth.KindAmbiguous},
		"may have been made though the answer is unread":    {fault: fakespaces.FaultTruncatedJSON, kind: spacesauth.KindAmbiguous},
		"is refused by an error in a good answer":           {fault: fakespaces.FaultErrorIn200, kind: spacesauth.KindUnavailable},
		"is not made while nothing is sent, which is known": {fault: fakespaces.FaultUnavailable503, kind: spacesauth.KindUnavailable},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, fakespaces.WithGuestLifetime(6*time.Hour))
			w.Next(fakespaces.OperationGuest, c.fault)
			got, err := w.client.Guest(context.Background(), spacesauth.Guest{DisplayName: "Lobby kiosk"}, nil)
			if kind(t, err) != c.kind {
				t.Fatalf("the error was %v, want %q", err, c.kind)
			}
			expectNoSecret(t, err, append(w.Secrets(), "DOCTYPE", w.server.URL)...)
			if err != nil {
				return
			}
			if got.Lifetime != c.lifetime || !got.IssueTime.Equal(noon) || got.TokenType != "jwt" || !got.RefreshToken.Empty() {
				t.Errorf("the answer was %+v, want a lifetime of %s", got, c.lifetime)
			}
			if who, err := w.client.UserProfile(context.Background(), got.TokenType, got.AccessToken); err != nil || who.UserID == "" {
				t.Errorf("the guest's token does not work: %v", err)
			}
		})
	}
}

// A clock of ours that goes wrong must not make a token live longer than the service lets it.
func TestAGuestLivesAsLongByAnyClock(t *testing.T) {
	for sentence, ahead := range map[string]time.Duration{
		"an hour behind the service's": time.Hour, "an hour ahead of it": -time.Hour, "two days ahead of it": -48 * time.Hour,
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, fakespaces.WithNow(func() time.Time { return noon.Add(ahead) }))
			got, err := w.client.Guest(context.Background(), spacesauth.Guest{}, nil)
			if err != nil || got.Lifetime != 24*time.Hour || !got.IssueTime.Equal(noon) {
				t.Errorf("it lives for %s from %s on (%v)", got.Lifetime, got.IssueTime, err)
			}
		})
	}
}

func TestWhatIsSentForAGuest(t *testing.T) {
	w := newWorld(t)
	seen := w.watch()
	guest := spacesauth.Guest{DisplayName: "Lobby & kiosk", Username: "kiosk@example.test", PictureURL: "https://example.test/p"}
	if _, err := w.client.Guest(context.Background(), guest, nil); err != nil {
		t.Fatal(err)
	}
	call := seen()[0]
	for field, want := range map[string]string{"displayname": guest.DisplayName, "username": guest.Username, "picturefile": guest.PictureURL} {
		if got := call.Form.Get(field); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	if len(call.Form) != 3 || call.Header.Get("Authorization") != "" {
		t.Errorf("sent was %v", call.Form)
	}
}

func TestAGuestIsNotMadeWhenTheGuardRefuses(t *testing.T) {
	w := newWorld(t)
	_, err := w.client.Guest(context.Background(), spacesauth.Guest{}, func() error { return errors.New("too late") })
	if kind(t, err) != spacesauth.KindUnavailable || w.Ledger().GuestsIssued != 0 {
		t.Errorf("the error was %v, %d guests were made", err, w.Ledger().GuestsIssued)
	}
}

func TestAGuestsTokenThatAHeaderCannotCarryIsNone(t *testing.T) {
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"token": "two\nlines"}`))
	}))
	client := clientOf(t, environmentAt(server.URL))
	if _, err := client.Guest(context.Background(), spacesauth.Guest{}, nil); kind(t, err) != spacesauth.KindAmbiguous {
		t.Errorf("the error was %v", err)
	}
}
