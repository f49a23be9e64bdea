package main

import (
	"path/filepath"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// The operator with profiles is built by make bench alone, which nothing runs on every change.
func TestTheOperatorWithProfilesBuilds(t *testing.T) {
	if err := testbed.BuildTagged(t.Context(), filepath.Join(t.TempDir(), "manager"), "profile", "."); err != nil {
		t.Fatal(err)
	}
}
