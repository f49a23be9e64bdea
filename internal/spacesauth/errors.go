package spacesauth

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the class of a failed call. It says what is known about the grant that
// was sent and so what may be done next.
type Kind string

const (
	// KindRejectedGrant means: the service knows the grant and refuses it
	// (invalid_grant, RFC 6749 §5.2): a spent or revoked refresh token, a wrong
	// user name or password.
	KindRejectedGrant Kind = "RejectedGrant"
	// KindRejectedClient means: the service refuses the client (invalid_client,
	// unauthorized_client). The grant was not judged.
	KindRejectedClient Kind = "RejectedClient"
	// KindRejectedRequest means: the service refuses the form of the request
	// (invalid_request, invalid_scope, unsupported_grant_type, …). The grant was
	// not judged.
	KindRejectedRequest Kind = "RejectedRequest"
	// KindUnclear means: a refusal without a known code: any other 4xx, HTML too; and a
	// revocation that was answered by a web page, whatever its status says.
	KindUnclear Kind = "Unclear"
	// KindThrottled means: the service asks for patience: 429, or 503 with Retry-After.
	KindThrottled Kind = "Throttled"
	// KindUnavailable means: nothing was sent, or the service answered that it did not do
	// the work: 408, 425, 5xx, a redirect, temporarily_unavailable, server_error, and in
	// HTTP/2 a refused stream or one that a GOAWAY leaves out.
	KindUnavailable Kind = "Unavailable"
	// KindAmbiguous means: the request was sent and no answer that can be read came back.
	// The grant may be spent.
	KindAmbiguous Kind = "Ambiguous"
)

// Error is a failed call. Its text holds no part of a response but known error
// codes, and no part of a request.
type Error struct {
	// Kind is the class of the failure.
	Kind Kind
	// StatusCode is the HTTP status; 0 when no answer came.
	StatusCode int
	// Code is the OAuth 2.0 error code (RFC 6749 §5.2) when it is a known one.
	Code string
	// RetryAfter is the patience the service asked for, at most [MaxRetryAfter];
	// 0 when it asked for none.
	RetryAfter time.Duration
	// WebPage means that the answer was HTML: it may come from a firewall, a gateway or a
	// portal on the way, and then says nothing of what was asked.
	WebPage bool
	// HostUnjudged means that the call says nothing about how the host fares: no
	// connection was asked for, because what was to be sent cannot be sent or the call was
	// over by then; or the guard that runs before sending refused; or HTTP/2 says that the
	// request was not processed. Whoever counts the failures of a host leaves such a call
	// out; it is no success either.
	HostUnjudged bool
	// Detail says in our own words what was found.
	Detail string
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Code != "":
		return fmt.Sprintf("the service answered %d %s", e.StatusCode, e.Code)
	case e.StatusCode != 0:
		return fmt.Sprintf("the service answered %d: %s", e.StatusCode, e.Detail)
	}
	return e.Detail
}

// KindOf returns the class of err, however deeply it is wrapped. An error that is
// not of this package is ambiguous: nothing is known about what was sent.
func KindOf(err error) Kind {
	var failure *Error
	if errors.As(err, &failure) {
		return failure.Kind
	}
	return KindAmbiguous
}

// FailureOf returns the failed call that err tells of, however deeply it is wrapped, and nil where it
// tells of none: the answer was good, and did not fit.
func FailureOf(err error) error {
	var failure *Error
	if errors.As(err, &failure) {
		return failure
	}
	return nil
}

// kindsByCode lists the error codes that are believed wherever they stand, also
// inside a 200. Sources: RFC 6749 §4.1.2.1 and §5.2, RFC 7009 §2.2.1.
var kindsByCode = map[string]Kind{
	"invalid_grant":             KindRejectedGrant,
	"invalid_client":            KindRejectedClient,
	"unauthorized_client":       KindRejectedClient,
	"access_denied":             KindRejectedClient,
	"invalid_request":           KindRejectedRequest,
	"invalid_scope":             KindRejectedRequest,
	"unsupported_grant_type":    KindRejectedRequest,
	"unsupported_response_type": KindRejectedRequest,
	"unsupported_token_type":    KindRejectedRequest,
	"server_error":              KindUnavailable,
	"temporarily_unavailable":   KindUnavailable,
}
