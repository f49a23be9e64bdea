// Package fakespaces is an Avaya Spaces that runs in memory: the sign-in half
// of the service (tokens, renewal, revocation) and just enough of its API to
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
//	POST /oauth2/access_token        password, authorization_code, refresh_token
//	POST /oauth2/revoke_token        by any refresh token of a grant
//	POST /api/anonymous/auth         a guest, by form or JSON
//	GET  /api/users/me               200 with a working token, Bearer or a guest's jwt, else 401
//	GET  /api/1.0/id_token/get_token_info  what an ID token says
//	GET  /api/service-configurations where the parts of the service are
//
// Everything else is 404. The forms and answers follow the vendor's pages
// (https://spaces.avayacloud.com/developers/docs/tutorials/authorizingrequests
// and .../api/accounts/accounts_accesstoken/); where those are silent, as they
// are on every error, RFC 6749 decides. Nobody outside knows how the real
// service rotates refresh tokens or treats a repeated one, so all of that is a
// switch ([Rotation], [WithReuseDetection], [WithGracePeriod],
// [WithUnknownTokenStatus]), and the defaults are the severe ones; only that new
// tokens may take a moment to work ([WithReplicationDelay]) must be asked for.
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
