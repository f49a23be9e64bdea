package main

import "context"

// step is one request of the bare loop.
type step struct {
	name string
	make func(*bareLoop, context.Context, *bot) error
}

// The requests of the bare loop, in their order: those that the operator makes here, where all of a
// namespace name one client and one login, which it reads once for all of them. Whoever changes
// what the operator asks for changes it here, too, or else compares it with what it does not do
// any more.
var (
	// A first token: seven requests to the API server.
	firstToken = []step{
		{"login Secret, GET", (*bareLoop).getLogin},
		{"finalizer, PATCH", (*bareLoop).addFinalizer},
		{"state with the claim, POST", (*bareLoop).createState},
		{"the service: sign-in", (*bareLoop).signIn},
		{"save, PUT", (*bareLoop).writeState},
		{"publish, POST", (*bareLoop).createPublished},
		{"status, PATCH", (*bareLoop).patchStatus},
		{"event, POST", (*bareLoop).createEvent},
	}
	// A renewal: four.
	renewal = []step{
		{"claim, PUT", (*bareLoop).writeState},
		{"the service: refresh", (*bareLoop).refresh},
		{"save, PUT", (*bareLoop).writeState},
		{"publish, PATCH", (*bareLoop).patchPublished},
		{"status, PATCH", (*bareLoop).patchStatus},
	}
	// A renewal after a start: five.
	afterStart = []step{
		{"state, GET", (*bareLoop).getState},
		{"claim, PUT", (*bareLoop).writeState},
		{"the service: refresh", (*bareLoop).refresh},
		{"save, PUT", (*bareLoop).writeState},
		{"publish, PATCH", (*bareLoop).patchPublished},
		{"status, PATCH", (*bareLoop).patchStatus},
	}
)

// The requests whose price is measured, each alone.
var priced = []step{
	{"Secret, GET", (*bareLoop).getState},
	{"Secret, POST", (*bareLoop).createSecret},
	{"Secret, PUT in protobuf", (*bareLoop).writeState},
	{"Secret, merge patch", (*bareLoop).patchAgain},
	{"event, POST", (*bareLoop).createEvent},
	{"SpacesCredential, finalizer patch", (*bareLoop).toggleFinalizer},
	{"SpacesCredential, status merge patch", (*bareLoop).patchStatus},
	{"SpacesCredential, status PUT", (*bareLoop).putStatus},
}
