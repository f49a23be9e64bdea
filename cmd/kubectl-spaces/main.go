// Command kubectl-spaces is the kubectl plugin `kubectl spaces`: it tells in words how
// SpacesCredentials fare, asks the operator for renewals and revocations, and signs a
// person in by browser for grant type AuthorizationCode.
//
// It talks to the API server with the rights of the person who runs it, and to the
// Spaces API for whoami alone. It never sees a client secret, and a refresh token only
// where `import` opens a grant of another cluster; the one command that prints a token is
// `token --show`.
package main

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spaces-operator/spaces-credential-operator/internal/buildinfo"
)

// version is set by the linker.
var version = buildinfo.Unset

func main() {
	// What libraries log belongs to nobody here.
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())

	// Until the end signals only end ctx, so that a second Ctrl-C cannot leave a code
	// behind in the cluster.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], &tool{
		IOStreams:   genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		config:      genericclioptions.NewConfigFlags(true),
		clock:       clock.RealClock{},
		random:      rand.Reader,
		openBrowser: openBrowser,
		listenOn:    net.Listen,
		http:        &http.Client{CheckRedirect: refuseRedirect},
		terminal:    func() bool { return isTerminal(os.Stdin) },
		width:       func() int { return widthOf(os.Stdout) },
		version:     buildinfo.Version(version),
	})
	stop()
	os.Exit(code)
}

// widthOf is how many characters a line of a terminal has, 0 of anything else.
func widthOf(file *os.File) int {
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// isTerminal tells whether somebody can be asked. The null device is a character device
// as a terminal is, but nobody sits at it.
func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
