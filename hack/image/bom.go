package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"path/filepath"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// bomFile is the list of what is in the binary of a platform.
func bomFile(out string, p platform) string {
	return filepath.Join(out, fmt.Sprintf("%s_%s_%s.cdx.json", binaryName, p.os, p.architecture))
}

// writeBOM lists the modules that the linker put into a binary, as it says itself, in CycloneDX.
func writeBOM(binary, path, version string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("what %s is made of cannot be read: %w", binary, err)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &cdx.Component{
		Type: cdx.ComponentTypeApplication, BOMRef: info.Main.Path, Name: info.Main.Path, Version: version, PackageURL: purl(info.Main.Path, version),
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
