// Package seen is what a workload of make test-e2e tells of the token that it was mounted: its Pod
// serves it, and the stories read it.
package seen

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Report is what one workload saw so far. There is no token in it.
type Report struct {
	// Calls counts those made with the mounted token, Refused those answered with 401 or 403, and
	// Failed all others that did not end with 200.
	Calls   int `json:"calls"`
	Refused int `json:"refused"`
	Failed  int `json:"failed"`
	// Problem is the last call that was no success, "" where there was none.
	Problem string `json:"problem,omitempty"`
	// Shown are the tokens that stood in the file, the first one first.
	Shown []Showing `json:"shown"`
	// ByFile and ByDirectory count the changes that a program would have noticed which watches
	// the mounted file, or the directory of the mount, by inotify.
	ByFile      int `json:"byFile"`
	ByDirectory int `json:"byDirectory"`
}

// Showing is the moment from which a token stood in the mounted file.
type Showing struct {
	Token Fingerprint `json:"token"`
	At    time.Time   `json:"at"`
}

// Fingerprint tells tokens apart without telling one.
type Fingerprint string

// FingerprintOf is that of a token.
func FingerprintOf(token []byte) Fingerprint {
	sum := sha256.Sum256(token)
	return Fingerprint(hex.EncodeToString(sum[:8]))
}
