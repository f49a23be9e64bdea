package spacesauth

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// Application is a registered OAuth client: its public ID and its secret. The token
// endpoint gets both in the form body (RFC 6749 §2.3.1; the vendor documents no other way).
// A public client has no secret (§2.1): its ID stands alone.
type Application struct {
	ID     string
	Secret Secret
}

// basic is the header value of HTTP Basic, with both encoded as RFC 6749 §2.3.1 says.
func (a Application) basic() string {
	pair := url.QueryEscape(a.ID) + ":" + url.QueryEscape(a.Secret.Reveal())
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

// Grant is what is presented to the token endpoint.
type Grant interface {
	// form returns the members of the request body beside the application's.
	form() url.Values
}

// PasswordGrant is the resource owner password credentials grant, RFC 6749 §4.3.
type PasswordGrant struct {
	Username string
	Password Secret
	Scopes   []string
}

func (g PasswordGrant) form() url.Values {
	form := url.Values{
		"grant_type": {"password"},
		"username":   {g.Username},
		"password":   {g.Password.Reveal()},
	}
	// A scope without a word in it is not a scope (RFC 6749 §3.3).
	if len(g.Scopes) > 0 {
		form.Set("scope", strings.Join(g.Scopes, " "))
	}
	return form
}

// RefreshTokenGrant is the refresh of an access token, RFC 6749 §6. The scope is
// left out: the service keeps what was granted.
type RefreshTokenGrant struct {
	RefreshToken Secret
}

func (g RefreshTokenGrant) form() url.Values {
	return url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {g.RefreshToken.Reveal()},
	}
}

// AuthorizationCodeGrant is the exchange of the code that a sign-in by browser left,
// RFC 6749 §4.1.3 with PKCE, RFC 7636 §4.5. The scope was given at the sign-in.
type AuthorizationCodeGrant struct {
	Code         Secret
	CodeVerifier Secret
	// RedirectURI is the one of the sign-in, to the letter.
	RedirectURI string
}

func (g AuthorizationCodeGrant) form() url.Values {
	return url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {g.Code.Reveal()},
		"code_verifier": {g.CodeVerifier.Reveal()},
		"redirect_uri":  {g.RedirectURI},
	}
}
