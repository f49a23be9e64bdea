package spacesauth

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode"
)

const (
	// maxText bounds the scope and the token type of an answer.
	maxText = 2048
	// MaxRefreshToken is the longest refresh token that is kept, in bytes. Those that services give
	// are far shorter, and many must fit into a Secret.
	MaxRefreshToken = 4 << 10
	// MaxToken is the longest access or ID token that is kept, in bytes.
	MaxToken = 16 << 10
)

// Answer is what the token endpoint gave, RFC 6749 §5.1.
type Answer struct {
	AccessToken  Secret
	RefreshToken Secret
	// Unkeepable is a refresh token that is too long to be kept, or has characters that no
	// request can carry. It comes with an error, and is worth revoking.
	Unkeepable Secret
	// IDToken is the OpenID Connect ID token; often absent.
	IDToken Secret
	// TokenType is the scheme of the Authorization header, "Bearer" when the answer
	// tells none: the vendor's documented answer has no token_type.
	TokenType string
	// Scope is what was granted, in the service's words, which need not be those of
	// the request.
	Scope string
	// IssueTime is when the request was sent, by our clock.
	IssueTime time.Time
	// Lifetime counts from IssueTime.
	Lifetime time.Duration
	// GrantLifetime is in what time from IssueTime the refresh token ends, or the grant with it; 0 where
	// the answer does not tell.
	GrantLifetime time.Duration
}

// judgeToken decides what an answer of the token endpoint means.
func (c *Client) judgeToken(r reply, issueTime time.Time) (Answer, error) {
	if r.status < 200 || r.status > 299 {
		return Answer{}, judgeRefusal(r)
	}
	fields, whole := readFields(r.body)
	answer := Answer{
		AccessToken:  NewSecret(bounded(text(fields["access_token"]), MaxToken)),
		RefreshToken: NewSecret(bounded(text(fields["refresh_token"]), MaxRefreshToken)),
		IDToken:      NewSecret(bounded(text(fields["id_token"]), MaxToken)),
		TokenType:    tokenType(text(fields["token_type"])),
		Scope:        clean(scopeText(fields["scope"])),
		IssueTime:    issueTime,
	}
	answer.Lifetime, answer.GrantLifetime = c.lifetimeOf(fields["expires_in"], answer), grantLifetimeOf(fields)
	if given := text(fields["refresh_token"]); given != "" && answer.RefreshToken.Empty() {
		// The grant moved on to a token that cannot be kept: to sign in anew brings another one.
		return Answer{Unkeepable: NewSecret(given)}, &Error{Kind: KindRejectedGrant, StatusCode: r.status, Detail: "the answer holds a refresh token that is longer than 4 KiB or no visible ASCII, and cannot be kept"}
	}

	if code := text(fields["error"]); code != "" && answer.AccessToken.Empty() {
		return answer, judgeRefusal(r)
	}
	switch {
	case !answer.AccessToken.Empty() && (whole || !answer.RefreshToken.Empty()):
		return answer, nil
	case !answer.RefreshToken.Empty():
		// The grant moved on; the new refresh token can be used for another try.
		return answer, &Error{Kind: KindUnavailable, StatusCode: r.status, Detail: "the answer holds a refresh token but no usable access token"}
	}
	// An access token may have been read, but a refresh token behind it was cut off.
	return Answer{}, &Error{Kind: KindAmbiguous, StatusCode: r.status, WebPage: r.webPage, Detail: "the answer could not be read"}
}

// judgeRefusal classifies an answer that grants nothing: by its status first, then
// by its error code where that is a known one.
func judgeRefusal(r reply) *Error {
	failure := &Error{StatusCode: r.status, RetryAfter: r.retryAfter, WebPage: r.webPage, Detail: "no known error code"}
	if fields, _ := readFields(r.body); fields != nil {
		if code := text(fields["error"]); kindsByCode[code] != "" {
			failure.Code = code
		}
	}
	switch status := r.status; {
	case status == 429, status == 503 && r.retryAfter > 0:
		failure.Kind = KindThrottled
	case status >= 300 && status <= 399:
		failure.Kind, failure.Detail = KindUnavailable, "a redirect, which is not followed"
	case status == 408, status == 425, status >= 500:
		failure.Kind = KindUnavailable
	case failure.Code != "":
		failure.Kind = kindsByCode[failure.Code]
	default:
		failure.Kind = KindUnclear
	}
	return failure
}

// readFields reads the members of a JSON object up to the first damage, whatever
// the content type said. whole tells whether it came to the object's end.
func readFields(body []byte) (fields map[string]json.RawMessage, whole bool) {
	body = withoutMark(body)
	decoder := json.NewDecoder(bytes.NewReader(body))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, false
	}
	fields = map[string]json.RawMessage{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return fields, false
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return fields, false
		}
		// A number at the very end may have lost digits; text has its closing quote.
		if decoder.InputOffset() == int64(len(body)) && strings.ContainsRune("-0123456789", rune(value[0])) {
			return fields, false
		}
		if name, ok := name.(string); ok {
			fields[name] = value
		}
	}
	_, err := decoder.Token()
	return fields, err == nil
}

// text reads a JSON string, and gives "" for anything else.
func text(raw json.RawMessage) string {
	var value string
	if json.Unmarshal(raw, &value) != nil {
		return ""
	}
	return value
}

// scopeText reads the scope as RFC 6749 §3.3 has it, or as a list of strings.
func scopeText(raw json.RawMessage) string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return strings.Join(list, " ")
	}
	return text(raw)
}

// tokenType returns the scheme for an Authorization header. Schemes are compared
// without case (RFC 9110 §11.1), and the documents write both "Bearer" and
// "bearer".
func tokenType(value string) string {
	value = headerSafe(clean(value))
	if value == "" || strings.EqualFold(value, "bearer") {
		return "Bearer"
	}
	return value
}

// clean strips control characters and bounds the length.
func clean(value string) string {
	value = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, value)
	if len(value) > maxText {
		value = strings.ToValidUTF8(value[:maxText], "")
	}
	return value
}

// headerSafe returns value, or "" when it has characters that a header cannot
// carry: such a token could not be used, and could smuggle a header of its own.
func headerSafe(value string) string {
	for _, r := range value {
		if r <= ' ' || r > '~' {
			return ""
		}
	}
	return value
}

// bounded returns a token that can be kept and sent, or "".
func bounded(value string, most int) string {
	if len(value) > most {
		return ""
	}
	return headerSafe(value)
}
