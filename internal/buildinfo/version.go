// Package buildinfo tells a program what it was built from.
package buildinfo

import "runtime/debug"

// Unset is the version that a program has in its source, which the linker replaces in a release.
const Unset = "dev"

// unknown is what go build writes where it knows no version.
const unknown = "(devel)"

// Version is the version that the linker set, or else the one that go knows: that of the module for
// `go install module@version`, and one with the commit for `go build` in a checkout. What nobody knows
// is Unset.
func Version(linked string) string {
	if linked != Unset {
		return linked
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Unset
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if found := info.Main.Version; found != "" && found != unknown {
		return found
	}
	return Unset
}
