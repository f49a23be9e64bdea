// Package controllers is the loop that keeps the promises of a SpacesCredential.
//
// Every pass of the loop makes the same steps in the same order; reconcile.go has them, and
// the files are listed here as a pass comes to them:
//
//	reconcile             gone, deleted or living?
//	observe, inputs       reads all that is judged, once: what is published, the state Secret,
//	                      rivals, environments, inputs
//	imports               the grant of another cluster, where one is put in
//	behind                a state that was put back to an earlier document
//	export                marks the grant as given to another cluster, where a person asks for it
//	renew                 asks internal/grantstate what is due, and has it done
//	obtain                the irreversible act: claims, calls the service at most once, saves
//	                      the answer before anything else
//	verify                lets the new token pass the checks that spec asks for, if any
//	publish, rivals       writes the Secret that workloads mount, from the state
//	export_answer         seals the marked grant to the importer
//	finalize, retire      the end of a credential, and of a state
//	used                  what must not be forgotten between one state and the next
//	strays                Secrets that carry our finalizer and are no state
//	revoke                works off the list of grants that wait to be revoked
//	conclude, status      turns what happened into conditions and the time of the next pass
//	watches, sweeper      what wakes the next one
//
// What they stand on comes last: content (what is published), turn (the right to make a call
// now), environments, events, messages (what people read, by reason), state (the state Secret
// and its one writer), scope (what a pass carries, and how far a step has come) and reconciler
// (what a process has, and remembers).
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
