package fakespaces

import (
	"encoding/json"
	"net/http"
)

// ending tells how an answer leaves.
type ending int

const (
	endsWhole   ending = iota // written to its end
	endsUnread                // written to its end, but nobody can read tokens from it
	endsCut                   // the connection closes in mid-body
	endsStalled               // the body stops; the connection closes later
	endsUnsent                // the connection closes before the first byte
)

// answer is what the service is about to write.
type answer struct {
	status  int
	header  http.Header
	object  object // the body, if it is a JSON object
	text    string // else the body
	padding int    // so many bytes of a useless first member come before the rest of the object
	ending  ending

	refusal string // the error code in the answer, for the ledger
	fate    *fate  // of the refresh token or code that was spent for this answer
}

func jsonAnswer(status int, members object) *answer {
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store") // RFC 6749 section 5.1
	return &answer{status: status, header: header, object: members}
}

func plainAnswer(status int, contentType, text string) *answer {
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return &answer{status: status, header: header, text: text}
}

// The error codes the service answers with: RFC 6749 sections 4.1.2.1 and 5.2,
// and RFC 6750 section 3.1. The last two are meant for the browser, but services
// use them at the token endpoint too.
const (
	codeInvalidRequest          = "invalid_request"
	codeInvalidClient           = "invalid_client"
	codeInvalidGrant            = "invalid_grant"
	codeInvalidScope            = "invalid_scope"
	codeInvalidToken            = "invalid_token"
	codeUnauthorizedClient      = "unauthorized_client"
	codeUnsupportedGrantType    = "unsupported_grant_type"
	codeUnsupportedResponseType = "unsupported_response_type"
	codeAccessDenied            = "access_denied"
	codeServerError             = "server_error"
	codeTemporarilyUnavailable  = "temporarily_unavailable"
)

func refuse(status int, code, description string) *answer {
	refused := jsonAnswer(status, object{{"error", code}, {"error_description", description}})
	refused.refusal = code
	return refused
}

// body is the whole body, padding apart.
func (a *answer) body() []byte {
	if a.object == nil {
		return []byte(a.text)
	}
	text, err := json.Marshal(a.object)
	mustBe(err) // strings and numbers only: cannot happen
	return text
}
