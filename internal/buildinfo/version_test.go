package buildinfo

import (
	"runtime/debug"
	"testing"
)

func TestWhatGoKnowsStandsInForTheLinker(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3": "v1.2.3",
		"v0.0.0-20261126170000-5f0c9a1be2d4+dirty": "v0.0.0-20261126170000-5f0c9a1be2d4+dirty",
		unknown: Unset,
		"":      Unset,
	} {
		if got := versionOf(&debug.BuildInfo{Main: debug.Module{Version: version}}); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
	if got := Version("v0.1.0"); got != "v0.1.0" {
		t.Errorf("the linker set v0.1.0, and it says %q", got)
	}
}
