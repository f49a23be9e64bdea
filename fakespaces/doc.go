// Package fakespaces is an Avaya Spaces that runs in memory: the sign-in half
// of the service (pages, tokens, renewal, revocation, guests) and just enough of its API to
// see whether a token works. It exists for programs that hold Spaces
// credentials and want to be tested, or shown, without an account, a network
// or a cluster.
//
// A [Service] is an http.Handler; put it behind an httptest.Server and give
// its URL to the program under test as both the accounts host and the API
// host:
//
//	spaces := fakespaces.New(
//		fakespaces.WithClient("my-app", "app-secret"),
//		fakespaces.WithUser("bot@example.test", "hunter2"),
//	)
//	server := httptest.NewServer(spaces)
//
// # What it serves
//
//	GET  /oauth2/authorize                 a sign-in page, and the consent page after it
//	POST /oauth2/access_token              password, authorization_code, refresh_token
//	POST /oauth2/revoke_token              by any refresh token of a grant
//	GET  /api/1.0/id_token/get_token_info  what an ID token says
//	POST /api/anonymous/auth               a guest, by form or JSON
//	GET  /api/users/me                     200 with a working token, Bearer or a guest's jwt, else 401
//	GET  /api/service-configurations       where the parts of the service are
//
// Everything else is 404. The forms and answers follow the vendor's pages
// (https://spaces.avayacloud.com/developers/docs/tutorials/authorizingrequests
// and .../api/accounts/accounts_accesstoken/); where those are silent, as they
// are on every error, RFC 6749 decides. Nobody outside knows how the real
// service rotates refresh tokens or treats a repeated one, so all of that is a
// switch ([Rotation], [WithReuseDetection], [WithGracePeriod],
// [WithUnknownTokenStatus], [WithAuthenticatedRevocation]), and the defaults are the severe ones; only that new
// tokens may take a moment to work ([WithReplicationDelay]), that grants end by their own time
// ([WithGrantLifetime]) and that a user may have few ([WithGrantsPerUser]) must be asked for.
//
// # Who signs in
//
// The pages are for a browser, driven by a person or a test: the fields and
// buttons have the ids username, password, sign-in, allow and deny. Without a
// browser, [Service.Consent] and [Service.Refuse] play the person: they take the
// address that a client made, check it as the page does, and give the address
// to which the browser would be sent. [Service.IssueCode] and
// [Service.IssueGrant] skip the client's part too.
//
// # What goes wrong, on demand
//
// A [Fault] is one odd answer: a lost one, a web page, a 429, a token answer
// with text where a number belongs. Faults come in a queue ([Service.Next]), at
// a rate ([WithFaultRate]), or from a function that sees each call
// ([Service.Intercept]), which may also hold a call in flight.
//
// # What it remembers
//
// [Service.Ledger] tells what clients did: tokens minted, grants and what
// became of them, refusals, and the mistakes no client should make: sending a
// refresh token or a code again although the answer for it had been delivered,
// and renewing one grant twice at once. [Service.Secrets] lists every secret
// the service gave or was given, for tests that watch for leaks.
//
// # Promises
//
//   - All methods are safe for concurrent use, and no lock is held while a
//     function of yours runs or an answer is written.
//   - With [WithNow] and [WithRandom] given, and calls made one after another,
//     the same calls get the same answers. No call waits on the wall clock but
//     one that meets [FaultSlowBody], which is bounded ([WithStall]).
//   - A call either does its whole work or none of it, and each Fault says
//     which.
//   - Nothing is ever forgotten: memory grows with every token minted.
//   - Control over HTTP is a handler apart, [Service.ControlHandler], so that a
//     Service never exposes it by accident.
package fakespaces
