package spacesauth

import (
	"errors"
	"net/url"
	"regexp"
)

// unprocessed are the errors of net/http for a request that the server did not process: it
// reset the stream with REFUSED_STREAM, or left it out of a GOAWAY (RFC 9113 §8.7 and §6.8).
// Their types are nobody's to see, so it is their texts that are compared, from end to end: what
// a server may say in a GOAWAY stands in another one. Should a newer Go word them differently,
// such a request counts as sent, which costs a replay and no grant; a test with a server that
// says so would tell.
//
// That the transport cannot repeat such a request is meant: see guardedBody.
var unprocessed = regexp.MustCompile(`^http2: Transport: cannot retry err ` +
	`\[(stream error: stream ID \d+; REFUSED_STREAM(; received from peer)?|http2: Transport received Server's graceful shutdown GOAWAY)\] ` +
	`after Request\.Body was written; define Request\.GetBody to avoid this error$` +
	`|^http2: Transport received GOAWAY from server ErrCode:[A-Z0-9_a-z ]+$`)

// isUnprocessed tells whether HTTP/2 says that a request was not processed.
func isUnprocessed(err error) bool {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // without the URL
	}
	return unprocessed.MatchString(err.Error())
}
