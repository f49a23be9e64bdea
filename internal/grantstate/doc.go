// Package grantstate is the state document of a credential and all that may change it.
//
// The document is the only place where a refresh token lives. It stands in one Secret,
// and whoever writes it says what it was when they judged it (its resourceVersion), so
// that of two writers one begins again. What this package adds is that no sequence of
// its methods loses a grant or lets one be spent unseen: the fields are not exported,
// and each method moves the document from one of the pictures below to another.
//
// A grant lives in exactly one of three places:
//
//	             Claim          Record                    Record, of a new grant
//	  (a seed  ────────▶ firstUse ────────▶ grant ─────────────────────────────────┐
//	   or code)             │                │  ▲ │                                │
//	                        │                │  └─┘ Record: a rotation             ▼
//	                        │ a newer one    │                                  pending
//	                        │ was claimed    │ Retire, RevokeAll                   │
//	                        └────────────────┴────────────────────────────────────▶│
//	                                                                     Drop ◀────┘
//
//	firstUse  a seed or a code that was claimed and that the service has not judged. It
//	          stands beside the living grant, which lives on until it has.
//	grant     the living grant. Its condition says what the service said last: valid,
//	          refused (it is dead, its last token may live on), or ambiguous (a refresh
//	          was sent and nobody knows whether it was done: the same token goes again).
//	pending   grants that wait to be revoked, with nothing left of them but what a
//	          revocation sends. What comes in late for one of them joins it there.
//
// A grant that was exported to another cluster stays where it is, and stands in exports beside: it is
// not ours to spend or to revoke any more, and no list takes it.
//
// meanwhile is no fourth place: it is the token that stays published while the newest
// one waits to be verified, without a refresh token.
//
// A call that spends a grant stands between two writes, [Document.Claim] and
// [Document.Record]. A claim has a number that only grows, and an answer carries that of
// its claim. So a late answer is told from a newer one without comparing clocks:
//
//	claim stands, number equal      the expected case
//	claim gone, grant has a higher number answered, and is valid      dropped
//	claim gone, grant refused or ambiguous since                      takes its place
//	claim gone, grant is another, or none is wanted any more          joins pending
//
// [Decide] looks at a document, the inputs and the time, and says what is to be done
// next: nothing, a sign-in, a refresh or a revocation, and what is in the way. It and
// everything else here knows values and time only: no client of Kubernetes or of the
// service, and no words for people.
package grantstate
