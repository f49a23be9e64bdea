package spacesauth

import (
	"bytes"
	"encoding/json"
	"mime"
)

// isWebPage tells whether a body is HTML: what firewalls, gateways and captive portals
// answer in the place of a service. The content type alone does not say so, because
// services send JSON, and empty bodies, as text/html.
func isWebPage(contentType string, body []byte) bool {
	body = bytes.TrimSpace(withoutMark(body))
	switch {
	case len(body) == 0:
		return false
	case body[0] == '<':
		return true
	case body[0] == '{', json.Valid(body): // an object may have been cut
		return false
	}
	media, _, _ := mime.ParseMediaType(contentType)
	return media == "text/html" || media == "application/xhtml+xml"
}

// withoutMark leaves out a byte order mark, as RFC 8259 §8.1 lets a reader do.
func withoutMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }
