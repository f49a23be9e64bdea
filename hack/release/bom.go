package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// writeBOM lists the modules that the linker put into a binary, as it says itself, in CycloneDX.
func writeBOM(of binary, path, version string) error {
	info, err := buildinfo.ReadFile(of.path)
	if err != nil {
		return fmt.Errorf("what %s is made of cannot be read: %w", of.path, err)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &cdx.Component{
		Type: cdx.ComponentTypeApplication, BOMRef: info.Path, Name: info.Path, Version: version,
		PackageURL: purl(info.Main.Path, version) + strings.Replace(strings.TrimPrefix(info.Path, info.Main.Path), "/", "#", 1),
	}}
	components := []cdx.Component{{
		Type: cdx.ComponentTypeLibrary, BOMRef: "std", Name: "std", Version: info.GoVersion, PackageURL: purl("std", info.GoVersion),
	}}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		components = append(components, cdx.Component{
			Type: cdx.ComponentTypeLibrary, BOMRef: module.Path, Name: module.Path, Version: module.Version, PackageURL: purl(module.Path, module.Version),
		})
	}
	bom.Components = &components
	return writeFile(path, func(into io.Writer) error {
		return cdx.NewBOMEncoder(into, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
	})
}

// purl names a Go module (package-url, golang).
func purl(module, version string) string { return "pkg:golang/" + module + "@" + version }
