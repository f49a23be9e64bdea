package spacesauth

import (
	"context"
	"net/url"
)

// Revoke revokes the grant that refreshToken belongs to, once. The vendor's form
// differs from RFC 7009: the field is refresh_token, grant_type is revoke_token,
// and the client ID stands without its secret.
//
// An application with a secret makes it the form of both: the fields of RFC 7009 §2.1 stand
// beside the vendor's, and the client proves itself by HTTP Basic, which every server must
// take that gave it a secret (RFC 6749 §2.3.1). A service that refused the vendor's form with
// invalid_client may take that one.
//
// A service that no longer knows the token has nothing left to revoke: such an
// answer is a success. A failed call is an [*Error]; of those, one that blames the
// client or the request may succeed once the input is mended.
func (c *Client) Revoke(ctx context.Context, app Application, refreshToken Secret) error {
	form := url.Values{
		"client_id":     {app.ID},
		"refresh_token": {refreshToken.Reveal()},
		"grant_type":    {"revoke_token"},
	}
	authorization := ""
	if !app.Secret.Empty() {
		form.Set("token", refreshToken.Reveal())
		form.Set("token_type_hint", "refresh_token")
		authorization = app.basic()
	}
	reply, failure := c.post(ctx, c.environment.AccountsURL+revokePath, form, authorization, nil)
	if failure != nil {
		return failure
	}
	if refused := judgeRevocation(reply); refused != nil {
		return refused
	}
	return nil
}

// judgeRevocation decides what an answer of the revocation endpoint means. The
// vendor documents 200 for success and no body. JSON that tells of no error is one, too.
func judgeRevocation(r reply) *Error {
	fields, _ := readFields(r.body)
	code, good := text(fields["error"]), r.status >= 200 && r.status <= 299
	switch {
	case good && r.webPage:
		// A portal that answers everything with its page has revoked nothing.
		return &Error{Kind: KindUnclear, StatusCode: r.status, WebPage: true, Detail: "a web page, which confirms nothing"}
	case good && code == "":
		return nil
	}
	refused := judgeRefusal(r)
	// Where the status speaks of passing trouble, the code is not listened to.
	passing := refused.Kind == KindUnavailable || refused.Kind == KindThrottled
	if !passing && (code == "invalid_grant" || code == "invalid_token") {
		return nil
	}
	return refused
}
