package spacesauth

import (
	"net/http"
	"strings"
	"sync"
)

// guardedBody is a request body that asks guard before it gives its first byte.
// The transport reads it when the connection stands: whatever fails earlier has
// sent nothing.
//
// It can be read once and there is no GetBody that gives another, so the transport cannot send
// it twice. With one it would repeat, unasked, a request whose stream was reset for an error in
// the protocol, or whose connection broke before anything was written, and with it a grant.
type guardedBody struct {
	form  *strings.Reader
	guard func() error

	mutex   sync.Mutex
	closed  bool
	begun   bool
	refused error
}

// Read implements [io.Reader].
func (b *guardedBody) Read(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.refused != nil:
		return 0, b.refused
	case !b.begun && b.guard != nil:
		if b.refused = b.guard(); b.refused != nil {
			return 0, b.refused
		}
	}
	b.begun = true
	return b.form.Read(p)
}

// Close implements [io.Closer].
func (b *guardedBody) Close() error {
	_, _ = b.shut()
	return nil
}

// shut ends reading and tells how far it came. The transport may still hold the
// body when a call has failed; without this, what was reported as not sent could
// be sent a moment later.
func (b *guardedBody) shut() (begun bool, refused error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.closed = true
	return b.begun, b.refused
}
