package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// order is what the command line asks for.
type order struct {
	listen  string
	options []fakespaces.Option
	seeds   []pair
}

// pair is a flag's value such as id:secret. What follows the first colon is
// the right side, colons included.
type pair struct{ left, right string }

func parsePair(text, form string) (pair, error) {
	left, right, found := strings.Cut(text, ":")
	if !found || left == "" || right == "" {
		return pair{}, fmt.Errorf("want %s", form)
	}
	return pair{left, right}, nil
}

// parseOrder reads the flags. The usage text is for --help only; a mistake is
// one line.
func parseOrder(arguments []string, stderr io.Writer) (*order, error) {
	asked := &order{}
	flags := flag.NewFlagSet("fakespaces", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	asked.define(flags)

	anyAddress := flags.Bool("any-address", false, "allow --listen on an address other than loopback, where others can read tokens and turn switches")
	if err := flags.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(stderr)
			flags.Usage()
		}
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if !*anyAddress && !loopback(asked.listen) {
		return nil, fmt.Errorf("--listen %s is not a loopback address; --any-address allows it", asked.listen)
	}
	return asked, nil
}

func (o *order) define(flags *flag.FlagSet) {
	add := func(option fakespaces.Option) { o.options = append(o.options, option) }

	flags.StringVar(&o.listen, "listen", "127.0.0.1:8085", "`address` to serve plain HTTP on")
	flags.Func("client", "an application, as `id:secret`; may be given often", func(text string) error {
		client, err := parsePair(text, "id:secret")
		add(fakespaces.WithClient(client.left, client.right))
		return err
	})
	flags.Func("public-client", "an application without a secret, as its `id`; may be given often; its codes need PKCE", func(id string) error {
		if id == "" {
			return errors.New("want an id")
		}
		add(fakespaces.WithClient(id, ""))
		return nil
	})
	flags.Func("redirect-uri", "an address to which browsers may be sent back for a client, as `client=uri`; may be given often; without any, every absolute one will do", func(text string) error {
		asked, err := parseRedirectURI(text)
		add(func(s *fakespaces.Service) { s.AddRedirectURI(asked.left, asked.right) })
		return err
	})
	flags.Func("user", "a user, as `name:password`; may be given often", func(text string) error {
		user, err := parsePair(text, "name:password")
		add(fakespaces.WithUser(user.left, user.right))
		return err
	})
	flags.Func("seed", "make a grant, as `client:user`, and print its refresh token; may be given often", func(text string) error {
		seed, err := parsePair(text, "client:user")
		o.seeds = append(o.seeds, seed)
		return err
	})
	lifetime := span(flags, "token-lifetime", time.Hour, "how long access tokens live, a `duration` of whole seconds (default 1h)")
	guests := span(flags, "guest-lifetime", 24*time.Hour, "how long the tokens of guests live, a `duration` of whole seconds (default 24h)")
	replication := span(flags, "replication-delay", 0, "the `duration` for which /api/users/me does not know a new access token (default 0)")
	grace := span(flags, "grace-period", 0, "the `duration` for which a replaced refresh token may be sent again (default 0)")
	reuse := flags.Bool("reuse-detection", true, "a spent refresh token that comes again kills the grant")
	rotation := fakespaces.RotateAlways
	flags.Func("rotation", "what renewals do with refresh tokens, a `rotation`: always, never or omitted (default always)", func(text string) error {
		rotation = fakespaces.Rotation(text)
		return fakespaces.Switches{Rotation: &rotation}.Check()
	})
	flags.Func("fault", "odd answers, as `operation=fault:rate`, such as refresh=html-502:0.1; may be given often", func(text string) error {
		fault, err := parseFault(text)
		add(func(s *fakespaces.Service) { s.SetFaultRate(fault.Operation, fault.Fault, fault.Rate) })
		return err
	})
	// Flags are read after this; the option looks at them when New runs it.
	add(func(s *fakespaces.Service) {
		s.SetTokenLifetime(*lifetime)
		s.SetGuestLifetime(*guests)
		s.SetReplicationDelay(*replication)
		s.SetGracePeriod(*grace)
		s.SetReuseDetection(*reuse)
		s.SetRotation(rotation)
	})
}

// span is a flag for a duration that is not negative.
func span(flags *flag.FlagSet, name string, value time.Duration, usage string) *time.Duration {
	flags.Func(name, usage, func(text string) error {
		read, err := time.ParseDuration(text)
		if err != nil || read < 0 {
			return fmt.Errorf("want a duration of 0 or more, such as 20s")
		}
		value = read
		return nil
	})
	return &value
}

func parseRedirectURI(text string) (pair, error) {
	client, uri, found := strings.Cut(text, "=")
	if !found || client == "" {
		return pair{}, fmt.Errorf("want client=uri, such as my-app=http://localhost:3000")
	}
	return pair{client, uri}, fakespaces.Switches{RedirectURIs: map[string][]string{client: {uri}}}.Check()
}

func parseFault(text string) (fakespaces.FaultRate, error) {
	op, rest, _ := strings.Cut(text, "=")
	name, share, found := strings.Cut(rest, ":")
	rate, err := strconv.ParseFloat(share, 64)
	if !found || err != nil {
		return fakespaces.FaultRate{}, fmt.Errorf("want operation=fault:rate, such as refresh=html-502:0.1")
	}
	asked := fakespaces.FaultRate{Operation: fakespaces.Operation(op), Fault: fakespaces.Fault(name), Rate: rate}
	return asked, fakespaces.Switches{FaultRates: []fakespaces.FaultRate{asked}}.Check()
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true // net.Listen says it better
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
