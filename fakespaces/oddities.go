package fakespaces

import (
	"net/http"
	"strconv"
)

// oddity is what a Fault does: it makes an answer instead of the work, alters
// the answer after it, or has a guest's token written otherwise.
type oddity struct {
	fault   Fault
	meaning string
	instead func(*Service) *answer
	alter   func(*answer)

	guestToken func(s *Service, claims object) string
}

// oddityTable is the list of all faults; its order is that of [Faults].
var oddityTable = []oddity{
	{fault: FaultLostBefore, meaning: "connection cut before any work", instead: lostBefore},
	{fault: FaultLostAfter, meaning: "work done, connection cut before the answer", alter: endingWith(endsUnsent)},
	{fault: FaultSlowBody, meaning: "work done, headers sent, the body stalls after its first bytes", alter: endingWith(endsStalled)},
	{fault: FaultCutBody, meaning: "work done, connection cut in mid-body", alter: endingWith(endsCut)},
	{fault: FaultHTML502After, meaning: "work done, but a proxy answers 502 with a web page", alter: proxied},
	{fault: FaultTruncatedJSON, meaning: "work done, the body is whole by its length but its JSON breaks off", alter: truncated},
	{fault: FaultHugeBody, meaning: "work done, the JSON begins with 16 MiB of padding", alter: padded},

	{fault: FaultMissingTokenType, meaning: "token answer without token_type", alter: dropping("token_type")},
	{fault: FaultStringExpiresIn, meaning: "expires_in is text", alter: lifetimeAs(func(n int64) any { return strconv.FormatInt(n, 10) })},
	{fault: FaultFractionalExpiresIn, meaning: "expires_in has a fraction", alter: lifetimeAs(func(n int64) any { return float64(n) + 0.5 })},
	{fault: FaultMissingExpiresIn, meaning: "token answer without expires_in", alter: dropping("expires_in")},
	{fault: FaultZeroExpiresIn, meaning: "expires_in is 0, though the token lives", alter: lifetimeAs(func(int64) any { return 0 })},
	{fault: FaultNegativeExpiresIn, meaning: "expires_in is -1, though the token lives", alter: lifetimeAs(func(int64) any { return -1 })},
	{fault: FaultTextPlain, meaning: "the right JSON is sent as text/plain", alter: asText},
	{fault: FaultUnknownFields, meaning: "the JSON has members nobody knows", alter: enriched},
	{fault: FaultLongFormScopes, meaning: "scope is in its long URL form", alter: longScopes},
	{fault: FaultEmptyAccessToken, meaning: "work done, access_token is empty, the refresh token is there", alter: tokenless},
	{fault: FaultNoRefreshToken, meaning: "token answer without refresh_token", alter: dropping("refresh_token")},
	{fault: FaultNoIDToken, meaning: "token answer without id_token", alter: dropping("id_token")},

	{fault: FaultStringIssuer, meaning: "the token of a guest has an iss that is text, not an array", guestToken: issuedByText},
	{fault: FaultGuestWithoutExp, meaning: "the token of a guest has no exp, though it does expire", guestToken: withoutExp},
	{fault: FaultGuestOpaque, meaning: "the token of a guest is no JWT", guestToken: opaque},

	{fault: FaultOtherAudience, meaning: "the audience of the ID token is another client", alter: otherAudience},
	{fault: FaultOtherUser, meaning: "the ID token is another person's", alter: otherUser},

	{fault: FaultHTML502, meaning: "502 with a proxy's web page, no work done", instead: webPage(http.StatusBadGateway)},
	{fault: FaultServerError500, meaning: "500 with a web page, no work done", instead: webPage(http.StatusInternalServerError)},
	{fault: FaultUnavailable503, meaning: "503 with a web page, no work done", instead: webPage(http.StatusServiceUnavailable)},
	{fault: FaultTimeout408, meaning: "408 with a web page, no work done", instead: webPage(http.StatusRequestTimeout)},
	{fault: FaultTooEarly425, meaning: "425 with a web page, no work done", instead: webPage(http.StatusTooEarly)},
	{fault: FaultThrottledSeconds, meaning: "429 with Retry-After in seconds", instead: throttled(http.StatusTooManyRequests, inSeconds)},
	{fault: FaultThrottledDate, meaning: "429 with Retry-After as a date", instead: throttled(http.StatusTooManyRequests, asDate)},
	{fault: FaultThrottled503, meaning: "503 with Retry-After in seconds", instead: throttled(http.StatusServiceUnavailable, inSeconds)},
	{fault: FaultTemporarilyUnavailable, meaning: "400 with the error temporarily_unavailable", instead: refused(http.StatusBadRequest, codeTemporarilyUnavailable)},
	{fault: FaultErrorIn200, meaning: "200 with the error server_error, no work done", instead: refused(http.StatusOK, codeServerError)},
	{fault: FaultHTML200, meaning: "200 with the web page of a firewall or a portal, no work done", instead: webPage(http.StatusOK)},
	{fault: FaultRedirect, meaning: "302 to a login page", instead: redirected(http.StatusFound)},
	{fault: FaultRedirect307, meaning: "307 to a login page: who follows sends the form again", instead: redirected(http.StatusTemporaryRedirect)},

	{fault: FaultInvalidGrant, meaning: "400 with the error invalid_grant, though the grant lives", instead: refused(http.StatusBadRequest, codeInvalidGrant)},
	{fault: FaultInvalidGrantIn200, meaning: "200 with the error invalid_grant, though the grant lives", instead: refused(http.StatusOK, codeInvalidGrant)},
	{fault: FaultInvalidClient, meaning: "401 with the error invalid_client", instead: refused(http.StatusUnauthorized, codeInvalidClient)},
	{fault: FaultInvalidScope, meaning: "400 with the error invalid_scope", instead: refused(http.StatusBadRequest, codeInvalidScope)},
	{fault: FaultUnauthorizedClient, meaning: "400 with the error unauthorized_client", instead: refused(http.StatusBadRequest, codeUnauthorizedClient)},
	{fault: FaultEmpty400, meaning: "400 without a body", instead: func(*Service) *answer { return plainAnswer(http.StatusBadRequest, "", "") }},
	{fault: FaultHTML400, meaning: "400 with a web page", instead: webPage(http.StatusBadRequest)},
	{fault: FaultUnknownError400, meaning: "400 with JSON that has code and message but no error", instead: strangeError},
	{fault: FaultForbidden403, meaning: "403 with JSON that has code and message, though the token works", instead: forbidden},
}

// oddities is the table by name.
var oddities = byFault(oddityTable)

func byFault(table []oddity) map[Fault]oddity {
	found := make(map[Fault]oddity, len(table))
	for _, odd := range table {
		found[odd.fault] = odd
	}
	return found
}

// Faults lists every Fault.
func Faults() []Fault {
	listed := make([]Fault, len(oddityTable))
	for i, odd := range oddityTable {
		listed[i] = odd.fault
	}
	return listed
}

// Meaning says in a line what happens.
func (f Fault) Meaning() string { return oddities[f].meaning }

// DoesWork tells whether a call that meets the Fault does its work all the
// same, so that for instance a refresh token is spent.
func (f Fault) DoesWork() bool {
	odd, known := oddities[f]
	return f == NoFault || known && odd.instead == nil
}
