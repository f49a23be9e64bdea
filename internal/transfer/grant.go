package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// version is the newest version of grant and envelope that this code reads.
	version = 1
	// MaxSize is the most bytes that a grant or an envelope may have. A refresh token has at most
	// 4 KiB of them.
	MaxSize = 64 << 10
	// maxText bounds every other text of a grant.
	maxText = 2048
)

// Source is where a grant comes from.
type Source struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// CredentialUID tells clusters apart, too: no two objects share one.
	CredentialUID types.UID `json:"credentialUID"`
	// GrantType is how the grant was made.
	GrantType v1alpha1.GrantType `json:"grantType"`
}

// Grant is what is told of a grant. The access token is not among it: whoever imports renews at once,
// and the one that is published at the source is left to it.
type Grant struct {
	Source Source
	// ID is the source's name of the grant. It is no secret.
	ID string
	// Environment is the name at the source; AccountsURL and ClientID have to be the importer's, too.
	Environment string
	AccountsURL string
	ClientID    string
	// Scope is what the service granted last.
	Scope        string
	RefreshToken spacesauth.Secret
	// Username and UserID are whose grant it is, as far as the service said.
	Username, UserID string
	// StartTime is when the grant began, ExportTime when it was given away, TokenExpirationTime
	// when the token ends that the source has published.
	StartTime, ExportTime, TokenExpirationTime time.Time
}

// written is a grant as it is written down: the one form that reveals the refresh token.
type written struct {
	Version             int       `json:"version"`
	Source              Source    `json:"source"`
	ID                  string    `json:"grantID"`
	Environment         string    `json:"environment"`
	AccountsURL         string    `json:"accountsURL"`
	ClientID            string    `json:"clientID"`
	Scope               string    `json:"scope,omitempty"`
	RefreshToken        string    `json:"refreshToken"`
	Username            string    `json:"username,omitempty"`
	UserID              string    `json:"userID,omitempty"`
	StartTime           time.Time `json:"startTime"`
	ExportTime          time.Time `json:"exportTime"`
	TokenExpirationTime time.Time `json:"tokenExpirationTime,omitzero"`
}

// Reveal writes the grant down, refresh token and all. Whoever calls it answers for where that goes.
func (g Grant) Reveal() ([]byte, error) {
	return json.Marshal(written{
		Version: version, Source: g.Source, ID: g.ID, Environment: g.Environment, AccountsURL: g.AccountsURL, ClientID: g.ClientID,
		Scope: g.Scope, RefreshToken: g.RefreshToken.Reveal(), Username: g.Username, UserID: g.UserID,
		StartTime: g.StartTime.UTC(), ExportTime: g.ExportTime.UTC(), TokenExpirationTime: g.TokenExpirationTime.UTC(),
	})
}

// ReadGrant reads what [Grant.Reveal] wrote. Its errors never repeat what they read.
func ReadGrant(content []byte) (Grant, error) {
	var w written
	if err := readVersioned(content, &w); err != nil {
		return Grant{}, fmt.Errorf("the grant %w", err)
	}
	for _, text := range []string{
		w.Source.Namespace, w.Source.Name, string(w.Source.CredentialUID), string(w.Source.GrantType), w.ID, w.Environment, w.AccountsURL, w.ClientID, w.Scope, w.Username, w.UserID,
	} {
		if len(text) > maxText || strings.ContainsFunc(text, isControl) {
			return Grant{}, errors.New("the grant has a text that is too long or holds control characters")
		}
	}
	switch {
	case w.ID == "" || w.AccountsURL == "" || w.ClientID == "" || w.RefreshToken == "":
		return Grant{}, errors.New("the grant is not whole")
	case len(w.RefreshToken) > spacesauth.MaxRefreshToken || strings.ContainsFunc(w.RefreshToken, isInvisible):
		return Grant{}, errors.New("the grant has a refresh token that is longer than 4 KiB or no visible ASCII")
	}
	return Grant{
		Source: w.Source, ID: w.ID, Environment: w.Environment, AccountsURL: w.AccountsURL, ClientID: w.ClientID, Scope: w.Scope,
		RefreshToken: spacesauth.NewSecret(w.RefreshToken), Username: w.Username, UserID: w.UserID,
		StartTime: w.StartTime, ExportTime: w.ExportTime, TokenExpirationTime: w.TokenExpirationTime,
	}, nil
}

// readVersioned reads one JSON document of a version that this code knows.
func readVersioned(content []byte, into any) error {
	if len(content) > MaxSize {
		return fmt.Errorf("has more than %d KiB", MaxSize>>10)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(content), &head); err != nil {
		return errors.New("is no JSON document, or not whole")
	}
	if head.Version < 1 || head.Version > version {
		return fmt.Errorf("has version %d, and this program reads up to %d", head.Version, version)
	}
	if err := json.Unmarshal(content, into); err != nil {
		return errors.New("has a field of an unexpected form")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }

func isInvisible(r rune) bool { return r <= ' ' || r >= 0x7f }
