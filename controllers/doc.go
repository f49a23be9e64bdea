// Package controllers is the loop that keeps the promises of a SpacesCredential.
//
// Every pass of the loop makes the same steps in the same order; reconcile.go has them, and
// the files are listed here as a pass comes to them:
//
//	reconcile, scope      gone, deleted or living? and what the pass carries
//	observe               reads all that is judged, once: the state Secret, what is published,
//	                      rivals, environments, inputs
//	renew                 asks internal/grantstate what is due, and has it done
//	obtain, turn          the irreversible act: claims, calls the service at most once, saves
//	                      the answer before anything else
//	verify                lets the new token pass the checks that spec asks for, if any
//	publish, unpublish    writes the Secret that workloads mount, from the state
//	content, template     what it holds
//	finalize, retire      the end of a credential, and of a state
//	revoke                works off the list of grants that wait to be revoked
//	conclude, status      turns what happened into conditions and the time of the next pass
//	messages              what people read, by reason
//
// What they stand on comes last: state and secrets (how Secrets are written), memory (what a
// process knows beyond the API server), outcome (how far a step has come), events, metrics;
// setup, watches and sweeper say what wakes a pass.
//
// The one thing that cannot be undone is a call that spends a grant, because a
// refresh token may be good for one use. So it stands between two writes to the
// state Secret: a claim, made under the resourceVersion of the document it
// rewrites, and the save of the answer. Both carry a number that only grows; it
// tells a late answer from a newer one without comparing clocks.
//
//	     claim                 call                  save               publish
//	state ───────▶ service ───────────▶ memory ───────────▶ state ──────────▶ Secret
//	  nothing was sent    the answer is unknown    unsaved      durable      visible
//
// A process that stops before the claim has sent nothing. One that stops before
// the save leaves an open claim: the next process watches it until its holder can
// no longer be at work, then sends the same refresh token, seed or code again. From the save on
// nothing is left to lose.
package controllers
