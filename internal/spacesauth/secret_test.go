package spacesauth_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/onsi/gomega/format"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestSecretsArePrintedInNoForm(t *testing.T) {
	const value = "do-not-print-me"
	secret := spacesauth.NewSecret(value)
	holders := map[string]any{
		"alone":                    secret,
		"behind a pointer":         &secret,
		"in an exported field":     struct{ Token spacesauth.Secret }{secret},
		"in a field of our own":    struct{ token spacesauth.Secret }{secret},
		"in a field of a pointer":  &struct{ token *spacesauth.Secret }{&secret},
		"embedded":                 struct{ spacesauth.Secret }{secret},
		"in a list":                []spacesauth.Secret{secret},
		"in a list within a field": struct{ tokens []spacesauth.Secret }{[]spacesauth.Secret{secret}},
		"in a map":                 map[string]spacesauth.Secret{"token": secret},
		"in an application":        spacesauth.Application{ID: "app", Secret: secret},
		"in a password grant":      spacesauth.PasswordGrant{Username: "bot", Password: secret},
		"in a refresh grant":       spacesauth.RefreshTokenGrant{RefreshToken: secret},
		"in an answer":             spacesauth.Answer{AccessToken: secret, RefreshToken: secret, IDToken: secret},
	}
	forms := map[string]func(any) string{
		"JSON": func(holder any) string {
			out, err := json.Marshal(holder)
			return fmt.Sprint(string(out), err)
		},
		"YAML": func(holder any) string {
			out, err := yaml.Marshal(holder)
			return fmt.Sprint(string(out), err)
		},
		"a logr text log": func(holder any) (logged string) {
			funcr.New(func(_, line string) { logged += line }, funcr.Options{}).WithValues("known", holder).Info("x", "holder", holder)
			return logged
		},
		"a logr JSON log": func(holder any) (logged string) {
			funcr.NewJSON(func(line string) { logged += line }, funcr.Options{}).Info("x", "holder", holder)
			return logged
		},
		"a slog text log": func(holder any) string {
			var logged bytes.Buffer
			slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "holder", holder)
			return logged.String()
		},
		"a slog JSON log": func(holder any) string {
			var logged bytes.Buffer
			slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "holder", holder)
			return logged.String()
		},
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "% x", "%08.3f", "%U"} {
		forms[verb] = func(holder any) string { return fmt.Sprintf(verb, holder) }
	}
	for where, holder := range holders {
		for form, print := range forms {
			t.Run(where+" as "+form, func(t *testing.T) {
				printed := print(holder)
				for _, shown := range []string{value, hex.EncodeToString([]byte(value)), spaced(value)} {
					if strings.Contains(strings.ToLower(printed), shown) {
						t.Errorf("it shows the value: %s", printed)
					}
				}
			})
		}
	}
	if printed := fmt.Sprint(secret); printed != "[redacted]" {
		t.Errorf("it prints as %q", printed)
	}
}

// spaced is value as the verb "% x" writes it.
func spaced(value string) string { return fmt.Sprintf("% x", value) }

func TestSecretsRevealTheirValue(t *testing.T) {
	for _, value := range []string{"", "x", "ä\x00"} {
		secret := spacesauth.NewSecret(value)
		if secret.Reveal() != value || secret.Empty() != (value == "") {
			t.Errorf("%q came back as %q, empty: %v", value, secret.Reveal(), secret.Empty())
		}
	}
	var zero spacesauth.Secret
	if zero.Reveal() != "" || !zero.Empty() || zero.Fingerprint() != "" {
		t.Error("the zero Secret is not empty")
	}
}

func TestFingerprintsTellTokensApart(t *testing.T) {
	// SHA-256 of "abc", from FIPS 180-4.
	if got := spacesauth.NewSecret("abc").Fingerprint(); got != "ba7816bf8f01" {
		t.Errorf("the fingerprint of abc is %s", got)
	}
	if spacesauth.NewSecret("abd").Fingerprint() == "ba7816bf8f01" {
		t.Error("two tokens have one fingerprint")
	}
}

// Gomega follows pointers, and prints what it finds in the message of a failed test.
func TestGomegaPrintsNoSecret(t *testing.T) {
	const value = "do-not-print-me"
	secret := spacesauth.NewSecret(value)
	for where, holder := range map[string]any{
		"alone":                secret,
		"behind a pointer":     &secret,
		"in an exported field": struct{ Token spacesauth.Secret }{secret},
		"embedded":             struct{ spacesauth.Secret }{secret},
		"in a list":            []spacesauth.Secret{secret},
		"in a map":             map[string]spacesauth.Secret{"token": secret},
		"in an answer":         spacesauth.Answer{AccessToken: secret, RefreshToken: secret, IDToken: secret},
	} {
		if printed := format.Object(holder, 1); strings.Contains(printed, value) {
			t.Errorf("%s: it is printed", where)
		}
	}
}
