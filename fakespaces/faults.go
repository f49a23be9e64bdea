package fakespaces

// Fault is one odd answer, named by what happens. [Faults] lists them all. A
// Fault either comes instead of the call's work, and then nothing has happened
// at the service, or changes the answer after the work was done; a Fault of
// the latter kind that has nothing to change in an answer leaves it as it is.
//
// Where a connection is cut, Go's http.Transport sends a GET on a connection
// used before once more, unasked, and that call meets the next fault or none;
// a POST that was sent it never repeats.
type Fault string

// NoFault is the answer of a good day. In a queue it lets one call pass.
const NoFault Fault = ""

// Answers that never arrive.
const (
	FaultLostBefore   Fault = "lost-before"    // connection cut before any work
	FaultLostAfter    Fault = "lost-after"     // work done, connection cut before the answer
	FaultSlowBody     Fault = "slow-body"      // work done, the body stalls after its first bytes
	FaultCutBody      Fault = "cut-body"       // work done, connection cut in mid-body
	FaultHTML502After Fault = "html-502-after" // work done, but a proxy answers 502 with a web page
)

// Answers with the work done that cannot be read.
const (
	FaultTruncatedJSON Fault = "truncated-json" // the body is whole by its length, but its JSON breaks off
	FaultHugeBody      Fault = "huge-body"      // the JSON begins with 16 MiB of padding
)

// Token answers that are odd, but hold what was asked for.
const (
	FaultMissingTokenType    Fault = "missing-token-type"    // no token_type, as in the vendor's example
	FaultStringExpiresIn     Fault = "string-expires-in"     // the number as text: "3600"
	FaultFractionalExpiresIn Fault = "fractional-expires-in" // 3600.5
	FaultMissingExpiresIn    Fault = "missing-expires-in"    // no expires_in
	FaultZeroExpiresIn       Fault = "zero-expires-in"       // 0, though the token lives
	FaultNegativeExpiresIn   Fault = "negative-expires-in"   // -1, though the token lives
	FaultTextPlain           Fault = "text-plain"            // right JSON sent as text/plain
	FaultUnknownFields       Fault = "unknown-fields"        // members nobody knows
	FaultLongFormScopes      Fault = "long-form-scopes"      // as in the vendor's example
	FaultEmptyAccessToken    Fault = "empty-access-token"    // the refresh token is there, rotated
	FaultNoRefreshToken      Fault = "no-refresh-token"      // as for a client without offline access
	FaultNoIDToken           Fault = "no-id-token"           // as some services at a sign-in by password
)

// Answers to a guest whose token is odd, but works.
const (
	FaultStringIssuer    Fault = "string-issuer"     // iss is text: "zang"
	FaultGuestWithoutExp Fault = "guest-without-exp" // no exp, though the token dies with its lifetime
	FaultGuestOpaque     Fault = "guest-opaque"      // no JWT at all
)

// Answers about an ID token that is not what its holder thinks.
const (
	FaultOtherAudience Fault = "other-audience" // audience is another client
	FaultOtherUser     Fault = "other-user"     // user_id, user.id and user.username are another person's
)

// Passing trouble, instead of the work.
const (
	FaultHTML502                Fault = "html-502"                // a proxy's web page
	FaultServerError500         Fault = "server-error-500"        // a web page
	FaultUnavailable503         Fault = "unavailable-503"         // a web page, no Retry-After
	FaultTimeout408             Fault = "timeout-408"             // a web page
	FaultTooEarly425            Fault = "too-early-425"           // a web page (RFC 8470 section 5.2)
	FaultThrottledSeconds       Fault = "throttled-seconds"       // 429, Retry-After in seconds: see [WithRetryAfter]
	FaultThrottledDate          Fault = "throttled-date"          // 429, Retry-After as a date by the service's clock
	FaultThrottled503           Fault = "throttled-503"           // 503, Retry-After in seconds
	FaultTemporarilyUnavailable Fault = "temporarily-unavailable" // 400 with {"error":"temporarily_unavailable"}
	FaultErrorIn200             Fault = "error-in-200"            // 200 with {"error":"server_error"}
	FaultHTML200                Fault = "html-200"                // 200 with the web page of a firewall or a portal
	FaultRedirect               Fault = "redirect"                // 302 to a login page
	FaultRedirect307            Fault = "redirect-307"            // 307: a client that follows sends its form again
)

// Refusals, instead of the work. The grant is as good as before.
const (
	FaultInvalidGrant       Fault = "invalid-grant"        // 400 with {"error":"invalid_grant"}
	FaultInvalidGrantIn200  Fault = "invalid-grant-in-200" // 200 with {"error":"invalid_grant"}
	FaultInvalidClient      Fault = "invalid-client"       // 401 with {"error":"invalid_client"}
	FaultInvalidScope       Fault = "invalid-scope"        // 400 with {"error":"invalid_scope"}
	FaultUnauthorizedClient Fault = "unauthorized-client"  // 400 with {"error":"unauthorized_client"}
	FaultEmpty400           Fault = "empty-400"            // 400 without a body
	FaultHTML400            Fault = "html-400"             // 400 with a web page
	FaultUnknownError400    Fault = "unknown-error-400"    // JSON with code and message, no error
	FaultForbidden403       Fault = "forbidden-403"        // 403 with JSON: not allowed, which says nothing of the token
)
