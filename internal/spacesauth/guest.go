package spacesauth

import (
	"context"
	"net/url"
	"time"
)

// GuestTokenType is the scheme of the Authorization header for a guest's token
// (vendor page users/anonymous_auth).
const GuestTokenType = "jwt"

// guestLifetime is the documented lifetime of a guest's token, for an answer whose
// token tells none.
const guestLifetime = 24 * time.Hour

// Guest is what a guest is called. Every member may be empty.
type Guest struct {
	DisplayName string
	Username    string
	PictureURL  string
}

// Guest makes a guest, once. Every call makes another one, with an ID of its own:
// a guest's token cannot be renewed, and there is nothing to revoke. Its lifetime
// is what the claims exp and iat of the token say; nothing else in it is looked at.
//
// The call goes to the API host and carries no credential. A failed one is an
// [*Error]. beforeSending is as in [Client.Token].
func (c *Client) Guest(ctx context.Context, guest Guest, beforeSending func() error) (Answer, error) {
	form := url.Values{
		"displayname": {guest.DisplayName},
		"username":    {guest.Username},
		"picturefile": {guest.PictureURL},
	}
	issueTime := c.clock.Now()
	reply, failure := c.post(ctx, c.environment.APIURL+guestPath, form, "", beforeSending)
	if failure != nil {
		return Answer{}, failure
	}
	if reply.status < 200 || reply.status > 299 {
		return Answer{}, judgeRefusal(reply)
	}
	fields, _ := readFields(reply.body)
	token := NewSecret(bounded(text(fields["token"]), MaxToken))
	if token.Empty() {
		if text(fields["error"]) != "" {
			return Answer{}, judgeRefusal(reply)
		}
		return Answer{}, &Error{Kind: KindAmbiguous, StatusCode: reply.status, WebPage: reply.webPage, Detail: "the answer holds no usable token"}
	}
	answer := Answer{AccessToken: token, TokenType: GuestTokenType, IssueTime: issueTime, Lifetime: guestLifetime}
	if lifetime := lifetimeByClaims(token, issueTime); lifetime > 0 {
		answer.Lifetime = lifetime
	}
	return answer, nil
}
