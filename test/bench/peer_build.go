package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The peer: the newest version that can be had as one Go module, and the sum of its files, which
// `go mod download -json` tells. Later ones are split into modules that nobody serves.
const (
	peerName    = "External Secrets Operator"
	peerModule  = "github.com/external-secrets/external-secrets"
	peerVersion = "v0.16.2"
	peerSum     = "h1:iNY+gIgSyL5higXTfnz+hdPCaiB/43UiHLqE7HBpj68="
)

// peerCRDs is where the module keeps them.
const peerCRDs = "config/crds/bases"

// buildPeer builds the peer in the folder of its module, by its own go.mod and go.sum, as its makers do.
// A program of ours around its reconciler would be no smaller, for that package imports the SDK of every
// store, and would need a module here that names the 280 modules of them.
func (b *bench) buildPeer(ctx context.Context) (*peer, error) {
	b.Say("building the peer, %s %s: for the first time it downloads 300 MB, which take 2 GB, and compiles 6 to 10 minutes", peerName, peerVersion)
	module, err := downloadPeer(ctx)
	if err != nil {
		return nil, err
	}
	p := &peer{program: b.Path("external-secrets"), crds: filepath.Join(module, filepath.FromSlash(peerCRDs))}
	output, err := filepath.Abs(p.program)
	if err != nil {
		return nil, err
	}
	build := inModule(exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-o", output, "."), module)
	build.Env = append(build.Env, "CGO_ENABLED=0")
	return p, b.tellWhile("building the peer", func() error {
		if said, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building the peer, %s@%s: %w\n%s", peerModule, peerVersion, err, said)
		}
		return nil
	})
}

// inModule has a command of Go work in a folder, whatever workspace the caller is in.
func inModule(command *exec.Cmd, folder string) *exec.Cmd {
	command.Dir, command.Env = folder, append(os.Environ(), "GOWORK=off")
	return command
}

// downloadPeer has Go download the module, unless it has it, and returns its folder.
func downloadPeer(ctx context.Context) (folder string, err error) {
	// Away from the repository: no go.sum of ours is to know it.
	answer, err := inModule(exec.CommandContext(ctx, "go", "mod", "download", "-json", peerModule+"@"+peerVersion), os.TempDir()).Output()
	folder, wrong := readDownload(answer)
	if wrong == nil {
		wrong = err
	}
	if wrong != nil {
		return "", fmt.Errorf("downloading the peer, %s@%s: %w", peerModule, peerVersion, wrong)
	}
	return folder, nil
}

// readDownload reads the folder of the peer out of an answer of go mod download.
func readDownload(answer []byte) (folder string, err error) {
	var module struct{ Dir, Sum, Error string }
	switch err := json.Unmarshal(answer, &module); {
	case err != nil:
		return "", fmt.Errorf("go mod download answers %q: %w", answer, err)
	case module.Error != "":
		return "", errors.New(module.Error)
	case module.Sum != peerSum:
		return "", fmt.Errorf("its sum is %s, which should be %s: these are other files than were looked at here", module.Sum, peerSum)
	}
	return module.Dir, nil
}

// tellInterval is how often a long build says that it still goes on.
const tellInterval = 20 * time.Second

// tellWhile does something that takes minutes, and tells meanwhile that it goes on.
func (b *bench) tellWhile(what string, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	tell := time.NewTicker(tellInterval)
	defer tell.Stop()
	began := time.Now()
	for {
		select {
		case err := <-done:
			return err
		case <-tell.C:
			b.Say("  ... %s, %.0f s", what, time.Since(began).Seconds())
		}
	}
}
