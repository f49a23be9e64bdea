// Package controllers is the loop that keeps the promises of a SpacesCredential.
//
// Every pass of the loop makes the same steps in the same order:
//
//	observe   reads the state Secret, the published Secret and, when needed, the inputs
//	decide    turns what was seen and the time into a plan; it knows values only
//	obtain    claims, then calls the service at most once
//	save      records the answer in the state Secret, before anything else
//	verify    lets the new token pass the checks that spec asks for, if any
//	publish   writes the Secret that workloads mount, from the state
//	conclude  turns what happened into conditions and the time of the next pass
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
