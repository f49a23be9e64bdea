package controllers

import (
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

// Nothing is sent whose answer might not fit into the state.
func TestNothingIsClaimedWithoutRoomForItsAnswer(t *testing.T) {
	nothing := func(*grantstate.Document) {}
	if full := hasRoom(grantstate.Document{}, nothing); full.isTrouble() {
		t.Errorf("an empty document is full: %s", full.message)
	}
	large := func(d *grantstate.Document) {
		d.Own(grantstate.Owned{Keys: []string{strings.Repeat("x", 300<<10)}})
	}
	if full := hasRoom(grantstate.Document{}, large); !full.isTrouble() {
		t.Error("a full document has room")
	}
}
