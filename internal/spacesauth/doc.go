// Package spacesauth is the client of Avaya Cloud Identity, the OAuth 2.0
// authorization server of Avaya Spaces.
//
// It sends one request for one call: no retry, no cache, no log. Whether a call
// is repeated is the caller's decision, because a refresh token may be good for
// one use only; what the caller needs for that decision is the [Kind] of a
// failure. Answers are read tolerantly, because an answer that cannot be read is
// a grant lost. Nothing of a response but known error codes, the scope, the token
// type and times leaves this package as plain text; tokens leave it as [Secret].
//
// The package knows nothing of Kubernetes.
package spacesauth
