package spacesauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
)

// maxIdentity bounds a user name and an ID.
const maxIdentity = 254

// Identity is a user as the accounts host knows them.
type Identity struct {
	// Username is usually an email address.
	Username string
	// UserID is the ID on the accounts host; the Spaces API has another one.
	UserID string
}

// IdentityOf reads whose ID token this is, from its claims email and sub. The token
// came over TLS from the token endpoint, so its signature is not checked again
// (OpenID Connect Core 1.0 §3.1.3.7); the service signs with a key that it shares
// with nobody. What is missing or unreadable is empty.
func IdentityOf(idToken Secret) Identity {
	claims := claimsOf(idToken)
	return Identity{Username: name(text(claims["email"])), UserID: name(text(claims["sub"]))}
}

// claimsOf reads the claims of a JSON Web Token (RFC 7519) without verifying it.
func claimsOf(token Secret) map[string]json.RawMessage {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil
	}
	var claims map[string]json.RawMessage
	if json.Unmarshal(payload, &claims) != nil {
		return nil
	}
	return claims
}

// name bounds what the service calls somebody.
func name(value string) string {
	value = clean(value)
	if len(value) > maxIdentity {
		value = strings.ToValidUTF8(value[:maxIdentity], "")
	}
	return value
}

// TokenInfo is what the accounts host tells of an ID token.
type TokenInfo struct {
	// Audience is the client ID that the token was made for.
	Audience string
	Identity
}

// TokenInfo asks the accounts host about an ID token (vendor tutorial, "get basic
// user information from the token"). The token stands in the URL of the call, and so
// perhaps in the logs of the service. A failed call is an [*Error].
func (c *Client) TokenInfo(ctx context.Context, idToken Secret) (TokenInfo, error) {
	query := url.Values{"id_token": {idToken.Reveal()}}
	reply, failure := c.get(ctx, c.environment.AccountsURL+tokenInfoPath+"?"+query.Encode(), "")
	if failure != nil {
		return TokenInfo{}, failure
	}
	fields, failure := readAnswer(reply)
	if failure != nil {
		return TokenInfo{}, failure
	}
	info := TokenInfo{Audience: name(text(fields["audience"])), Identity: Identity{UserID: name(text(fields["user_id"]))}}
	var user map[string]json.RawMessage
	if json.Unmarshal(fields["user"], &user) == nil {
		info.Username = name(text(user["username"]))
	}
	return info, nil
}

// UserProfile asks the API host whose token this is (vendor tutorial, "call all other
// Spaces APIs"): the plainest call that needs a token that works. UserID is the ID of
// the Spaces API, which differs from the one on the accounts host. A failed call is an
// [*Error].
func (c *Client) UserProfile(ctx context.Context, tokenType string, accessToken Secret) (Identity, error) {
	reply, failure := c.get(ctx, c.environment.APIURL+profilePath, tokenType+" "+accessToken.Reveal())
	if failure != nil {
		return Identity{}, failure
	}
	fields, failure := readAnswer(reply)
	if failure != nil {
		return Identity{}, failure
	}
	return Identity{Username: name(text(fields["username"])), UserID: name(text(fields["_id"]))}, nil
}

// readAnswer reads the JSON object of a good answer.
func readAnswer(r reply) (map[string]json.RawMessage, *Error) {
	if r.status < 200 || r.status > 299 {
		return nil, judgeRefusal(r)
	}
	fields, whole := readFields(r.body)
	if !whole {
		return nil, &Error{Kind: KindUnavailable, StatusCode: r.status, WebPage: r.webPage, Detail: "the answer could not be read"}
	}
	if text(fields["error"]) != "" {
		return nil, judgeRefusal(r)
	}
	return fields, nil
}
