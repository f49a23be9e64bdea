// Command image builds the operator's container image for each platform, without a daemon and
// without a base from a registry: one static binary and the certificates of the public
// authorities. The same commit and version give the same digest.
//
// `make image` runs it. It leaves an OCI layout, the same as a tar for those who load images from
// a file, and a list of what is in each binary (CycloneDX) beside them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	out := flag.String("out", "dist", "`folder` to write into")
	version := flag.String("version", "", "what the binary answers to --version")
	name := flag.String("name", binaryName, "what the image is called where it is loaded, without its tag")
	platforms := flag.String("platforms", "linux/amd64,linux/arm64", "comma-separated `list` of platforms")
	root := flag.String("root", ".", "`folder` of the operator's module")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, settings{root: *root, out: *out, name: *name, version: *version, platforms: *platforms}); err != nil {
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct{ root, out, name, version, platforms string }

func run(ctx context.Context, s settings) error {
	if s.version == "" {
		return errors.New("-version is needed: it is what the binary answers to --version")
	}
	source, err := sourceOf(ctx, s.root, s.version)
	if err != nil {
		return err
	}
	var images []platformImage
	for text := range strings.SplitSeq(s.platforms, ",") {
		p, err := parsePlatform(text)
		if err != nil {
			return err
		}
		say("building the operator for %s", p)
		binary, err := build(ctx, s, p)
		if err != nil {
			return err
		}
		if err := writeBOM(binary, bomFile(s.out, p), s.version); err != nil {
			return err
		}
		made, err := imageOf(binary, p, source)
		if err != nil {
			return err
		}
		images = append(images, made)
	}
	index, err := indexOf(images, source)
	if err != nil {
		return err
	}
	if err := writeLayout(filepath.Join(s.out, "image"), s.name, s.version, index); err != nil {
		return err
	}
	if err := writeArchive(filepath.Join(s.out, "image"), filepath.Join(s.out, "image.tar"), source.created); err != nil {
		return err
	}
	return tell(s.out, index, images)
}

func say(format string, values ...any) { fmt.Printf("image: "+format+"\n", values...) }

// source is what an image is made from.
type source struct {
	version, revision string
	created           time.Time
}

// sourceOf is the commit of a folder. Its time is that of the image, unless SOURCE_DATE_EPOCH says
// another (reproducible-builds.org): the clock would give each build another digest.
func sourceOf(ctx context.Context, root, version string) (source, error) {
	s := source{version: version, created: time.Unix(0, 0).UTC()}
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	git := exec.CommandContext(ctx, "git", "-C", root, "log", "-1", "--format=%H %ct")
	if output, err := git.Output(); err == nil { // an archive of the sources has no history
		var of string
		s.revision, of, _ = strings.Cut(strings.TrimSpace(string(output)), " ")
		if seconds == "" {
			seconds = of
		}
	}
	if seconds != "" {
		number, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil {
			return s, fmt.Errorf("SOURCE_DATE_EPOCH is %q and not a number of seconds", seconds)
		}
		s.created = time.Unix(number, 0).UTC()
	}
	return s, nil
}
