// Command fakespaces serves an Avaya Spaces that runs in memory, over plain
// HTTP on loopback, for demonstrations and for tests in any language. What it
// can play is told in the documentation of package fakespaces; the control path
// under /fakespaces/ turns the same switches while it serves.
//
//	fakespaces --client my-app:app-secret --user bot@example.test:hunter2 \
//	  --token-lifetime 20s --fault refresh=html-502:0.1
//
// Standard output gets the seed refresh tokens, one a line, and at the end the
// summary of the ledger; all else goes to standard error. SIGINT and SIGTERM
// end it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// farewell bounds how long calls in flight may take to end; a stalled answer
// would take longer.
const farewell = 2 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "fakespaces:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) error {
	order, err := parseOrder(arguments, stderr)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", order.listen)
	if err != nil {
		return err
	}
	spaces := fakespaces.New(order.options...)
	for _, seed := range order.seeds {
		fmt.Fprintln(stdout, spaces.IssueGrant(seed.left, seed.right))
	}
	fmt.Fprintf(stderr, "fakespaces: serving on http://%s\n", listener.Addr())
	if err := serve(ctx, listener, spaces); err != nil {
		return err
	}
	fmt.Fprint(stdout, spaces.Ledger())
	return nil
}

// serve mounts the service and its control path, and ends gracefully with the
// context.
func serve(ctx context.Context, listener net.Listener, spaces *fakespaces.Service) error {
	paths := http.NewServeMux()
	paths.Handle(fakespaces.ControlPath, spaces.ControlHandler())
	paths.Handle("/", spaces)
	server := &http.Server{Handler: paths, ReadHeaderTimeout: 10 * time.Second}

	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	// The context has ended already, and the calls in flight may still finish.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil {
		return server.Close()
	}
	return nil
}
