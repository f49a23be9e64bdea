// Package interop keeps an authorization server that nobody of this project wrote: the OAuth 2.0
// framework github.com/ory/fosite, behind a small adapter with the service's paths and forms.
// fakespaces is written by those who write its client, so both may share a mistake; this server
// rotates refresh tokens, notices their reuse, checks PKCE and authenticates clients as its own
// authors read the RFCs, and fails as they let it fail.
//
// It is a module of its own, so that its dependencies never lift one of the operator.
package interop
