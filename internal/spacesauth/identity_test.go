package spacesauth_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// jwt is a token with these claims and a signature that nobody checks.
func jwt(claims string) spacesauth.Secret {
	return spacesauth.NewSecret("e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln")
}

func TestIdentityOf(t *testing.T) {
	for sentence, c := range map[string]struct {
		token spacesauth.Secret
		want  spacesauth.Identity
	}{
		"an ID token names a user":                 {jwt(`{"email": "bot@example.test", "sub": "5d1f", "iss": ["zang", "io"]}`), spacesauth.Identity{Username: "bot@example.test", UserID: "5d1f"}},
		"a claim that is no text counts as absent": {jwt(`{"email": 7, "sub": {"a": 1}}`), spacesauth.Identity{}},
		"control characters are stripped":          {jwt(`{"email": "bot\u0000@\u001b[31mexample.test", "sub": "5d\n1f"}`), spacesauth.Identity{Username: "bot@[31mexample.test", UserID: "5d1f"}},
		"a name without end is cut":                {jwt(`{"email": "` + strings.Repeat("a", 300) + `"}`), spacesauth.Identity{Username: strings.Repeat("a", 254)}},
		"no token names nobody":                    {spacesauth.Secret{}, spacesauth.Identity{}},
		"what is no JWT names nobody":              {spacesauth.NewSecret("a.b"), spacesauth.Identity{}},
		"what is no base64 names nobody":           {spacesauth.NewSecret("a.!.c"), spacesauth.Identity{}},
		"what is no JSON names nobody":             {jwt(`[1]`), spacesauth.Identity{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := spacesauth.IdentityOf(c.token); got != c.want {
				t.Errorf("it is %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestTokenInfoTellsWhoseAnIDTokenIs(t *testing.T) {
	w := newWorld(t)
	answer, err := w.spend(password())
	if err != nil {
		t.Fatal(err)
	}
	info, err := w.client.TokenInfo(context.Background(), answer.IDToken)
	if err != nil || info.Audience != appID || info.Identity != spacesauth.IdentityOf(answer.IDToken) || info.Username != bot {
		t.Errorf("told was %+v, %v", info, err)
	}
	profile, err := w.client.UserProfile(context.Background(), answer.TokenType, answer.AccessToken)
	if err != nil || profile.Username != bot || profile.UserID == "" || profile.UserID == info.UserID {
		t.Errorf("the profile was %+v, %v", profile, err)
	}
}

func TestChecksThatFail(t *testing.T) {
	for sentence, c := range map[string]struct {
		fault fakespaces.Fault
		want  spacesauth.Kind
	}{
		"a web page instead of an answer":  {fakespaces.FaultHTML400, spacesauth.KindUnclear},
		"a 403":                            {fakespaces.FaultForbidden403, spacesauth.KindUnclear},
		"an outage":                        {fakespaces.FaultServerError500, spacesauth.KindUnavailable},
		"a request for patience":           {fakespaces.FaultThrottledSeconds, spacesauth.KindThrottled},
		"a redirect, which is no answer":   {fakespaces.FaultRedirect, spacesauth.KindUnavailable},
		"an answer that cannot be read":    {fakespaces.FaultTruncatedJSON, spacesauth.KindUnavailable},
		"an answer that is cut off":        {fakespaces.FaultCutBody, spacesauth.KindUnavailable},
		"an error in a good answer":        {fakespaces.FaultErrorIn200, spacesauth.KindUnavailable},
		"an answer of endless length":      {fakespaces.FaultHugeBody, spacesauth.KindUnavailable},
		"nothing odd at all":               {fakespaces.NoFault, ""},
		"right JSON that is called a text": {fakespaces.FaultTextPlain, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			answer, err := w.spend(password())
			if err != nil {
				t.Fatal(err)
			}
			w.Next(fakespaces.OperationTokenInfo, c.fault)
			w.Next(fakespaces.OperationProfile, c.fault)
			_, ofInfo := w.client.TokenInfo(context.Background(), answer.IDToken)
			_, ofProfile := w.client.UserProfile(context.Background(), answer.TokenType, answer.AccessToken)
			for _, err := range []error{ofInfo, ofProfile} {
				if kind(t, err) != c.want {
					t.Errorf("the error was %v, want %q", err, c.want)
				}
				expectNoSecret(t, err, append(w.Secrets(), "DOCTYPE", w.server.URL)...)
			}
		})
	}
}

// The ID token stands in the URL of the call, which Go's errors repeat.
func TestAFailedConnectionShowsNoIDToken(t *testing.T) {
	w := newWorld(t)
	answer, err := w.spend(password())
	if err != nil {
		t.Fatal(err)
	}
	w.server.Close()
	_, err = w.client.TokenInfo(context.Background(), answer.IDToken)
	if kind(t, err) != spacesauth.KindUnavailable {
		t.Errorf("the error was %v", err)
	}
	expectNoSecret(t, err, append(w.Secrets(), "id_token", w.server.URL)...)
}

func TestAYoungTokenMayNotBeKnownYet(t *testing.T) {
	w := newWorld(t, fakespaces.WithReplicationDelay(5*time.Second))
	answer, err := w.spend(password())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.UserProfile(context.Background(), answer.TokenType, answer.AccessToken); failureOf(err).StatusCode != 401 {
		t.Errorf("the error was %v, want 401", err)
	}
	w.clock.SetTime(noon.Add(5 * time.Second))
	if _, err := w.client.UserProfile(context.Background(), answer.TokenType, answer.AccessToken); err != nil {
		t.Error(err)
	}
}
