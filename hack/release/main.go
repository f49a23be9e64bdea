// Command release builds what a release consists of, or the container image alone, without a
// daemon and without a base from a registry. It pushes and signs nothing: docs/release.md says how
// that is done. The same commit and version give the same files, whoever builds them.
//
// `make release` and `make image` run it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

func main() {
	s := settings{}
	flag.StringVar(&s.out, "out", "dist", "`folder` to write into; a release empties it first")
	flag.StringVar(&s.version, "version", "", "what the binaries answer to --version")
	flag.StringVar(&s.name, "name", operator.name, "what the image is called, without its tag")
	flag.StringVar(&s.platforms, "platforms", "", "comma-separated `list` of platforms; empty means all of a release, or linux of an image")
	flag.StringVar(&s.root, "root", ".", "`folder` of the operator's module")
	flag.BoolVar(&s.imageAlone, "image", false, "build the operator's image alone")
	flag.BoolVar(&s.fakespaces, "fakespaces", false, "with -image: build that of fakespaces, too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	root, out, name, version, platforms string
	imageAlone, fakespaces              bool
}

func run(ctx context.Context, s settings) error {
	if s.version == "" {
		return errors.New("-version is needed: it is what the binaries answer to --version")
	}
	if !s.imageAlone {
		if err := checkVersion(s.version); err != nil {
			return err
		}
	}
	platforms, err := s.platformsOf()
	if err != nil {
		return err
	}
	from, err := sourceOf(ctx, s.root, s.version)
	if err != nil {
		return err
	}
	if !s.imageAlone {
		return makeRelease(ctx, s, from, platforms)
	}
	images := []shipped{operatorImage}
	if s.fakespaces {
		images = append(images, fakespacesImage)
	}
	for _, of := range images {
		built, err := buildAll(ctx, s, s.out, platforms, of.program)
		if err != nil {
			return err
		}
		if _, err := makeImage(s, from, of, built); err != nil {
			return err
		}
	}
	return nil
}

func say(format string, values ...any) { fmt.Printf("release: "+format+"\n", values...) }

// source is what a release is made from.
type source struct {
	version, revision string
	created           time.Time
}

// sourceOf is the commit of a folder. Its time is that of all files, unless SOURCE_DATE_EPOCH says
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
		if changed, err := exec.CommandContext(ctx, "git", "-C", root, "status", "--porcelain").Output(); err == nil && len(changed) > 0 {
			say("there are changes here that are in no commit: nobody else can build this again")
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
