package spacestoken

import "errors"

// ErrExpired is found by [errors.Is] in the error of a [Source] whose folder holds only a token past
// its end.
var ErrExpired = errors.New("the token has expired")

// Error says why there is no token to use. There is no secret in it.
type Error struct {
	// Path is the file or the folder that was looked at.
	Path string
	// Found is what was found there.
	Found string
	// Remedy is what to do.
	Remedy string
	// Err is the cause: [ErrExpired], one of package fs, or nil.
	Err error
}

// Error implements error.
func (e *Error) Error() string { return "spacestoken: " + e.Path + ": " + e.Found + ": " + e.Remedy }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
