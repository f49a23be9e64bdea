// Command inpod is what runs in the Pods of make test-e2e beside the operator: the service, the
// workloads that use its tokens, and, without arguments, the sandbox of every Pod.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	// headerTimeout is how long a visitor may take to say what it wants.
	headerTimeout = 5 * time.Second
	// farewell bounds how long calls in flight may take to end.
	farewell = time.Second
	// profilePath is what workloads call: it says who a token is of.
	profilePath = "/api/users/me"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "inpod:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		<-ctx.Done()
		return nil
	}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	switch arguments[0] {
	case "service":
		lifetime := flags.Duration("token-lifetime", time.Minute, "how long access tokens live")
		client := flags.String("client", "", "the application, as `id:secret`")
		password := flags.String("password", "", "of every user")
		authority := flags.String("authority", "", "`folder` with tls.crt and tls.key of the authority that signs our certificate")
		if err := flags.Parse(arguments[1:]); err != nil {
			return err
		}
		return runService(ctx, service{lifetime: *lifetime, client: *client, users: flags.Args(), password: *password, authority: *authority})
	case "workload":
		url := flags.String("url", "", "the API host of the service")
		authority := flags.String("authority", "", "`file` with the certificate of its authority")
		token := flags.String("token", "", "the mounted `file`")
		if err := flags.Parse(arguments[1:]); err != nil {
			return err
		}
		if command := flags.Args(); len(command) > 0 {
			program, err := startProgram(ctx, command)
			if err != nil {
				return err
			}
			return runWorkload(ctx, *token, program.profile)
		}
		reader, err := newReader(*url, *authority, *token)
		if err != nil {
			return err
		}
		return runWorkload(ctx, *token, reader.profile)
	default:
		return fmt.Errorf("%q is nothing that runs here", arguments[0])
	}
}

// serve serves until the context ends, with TLS where the server has a certificate.
func serve(ctx context.Context, server *http.Server, address string) error {
	server.ReadHeaderTimeout = headerTimeout
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		if server.TLSConfig == nil {
			ended <- server.Serve(listener)
			return
		}
		ended <- server.ServeTLS(listener, "", "")
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
