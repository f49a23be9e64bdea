package grantstate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestTheDocumentKeepsSecretsAndPrintsNone(t *testing.T) {
	const secret = "a-refresh-token-that-must-be-kept"
	d := Document{credentialUID: "uid", grant: &Grant{RefreshToken: kept{spacesauth.NewSecret(secret)}}}
	content, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	read, err := Read(content)
	if err != nil || read.grant.RefreshToken.Reveal() != secret {
		t.Fatalf("the secret was not kept: %v", err)
	}
	for _, printed := range []string{fmt.Sprint(d), fmt.Sprintf("%+v", d), fmt.Sprintf("%#v", *d.grant), fmt.Sprintf("%q", d.grant.RefreshToken), fmt.Sprint(d.MarshalLog())} {
		if strings.Contains(printed, secret) {
			t.Error("the secret was printed")
		}
	}
}

func TestReadDocumentNamesNothingItRead(t *testing.T) {
	for sentence, content := range map[string]string{
		"a damaged document":        `{"version": 1, "credentialUID": "u", "grant": {"refreshToken": 7777777}}`,
		"a document of the future":  `{"version": 7}`,
		"no document":               `7777777`,
		"a document of nobody":      `{"version": 1}`,
		"a document without a type": `{"credentialUID": "7777777"}`,
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := Read([]byte(content))
			if err == nil || strings.Contains(err.Error(), "7777777") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
