package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// plainPort is the port of an http address without one.
	plainPort = "80"
	// browserPatience bounds how long a browser may take to send a request.
	browserPatience = 5 * time.Second
	// pagePatience bounds how long it may take to fetch its page before the end. A
	// browser may hold connections that it never uses.
	pagePatience = time.Second
	// largestHead bounds a request; a code and a state are far smaller.
	largestHead = 32 << 10
)

// startPath is where the browser is sent to the service. What follows is drawn by chance.
const startPath = "/sign-in/"

// callback is the listener to which the browser brings the answer: on the host, port
// and path of the redirect URI, and nowhere else.
//
// It also sends the browser on its way. Whoever has the address of the sign-in could sign in
// with an account of their own, and everybody on a machine may read the arguments of a
// program. So the browser is given an address here that leads there once.
type callback struct {
	signIn  *signIn
	server  *http.Server
	ticket  string
	started atomic.Bool
	answers chan answer
	// strangers tells of answers that belong to no sign-in of ours.
	strangers chan struct{}
}

// listen begins to listen, before any browser is opened: where the first redirect URI says, or
// the next where another program does.
func (t *tool) listen(s *signIn) (*callback, error) {
	ticket, err := t.newState()
	if err != nil {
		return nil, err
	}
	var found []net.Listener
	var failed []error
	for _, redirect := range s.heard() {
		if found, err = t.listeners(redirect); err == nil {
			s.comeBackTo(redirect)
			break
		}
		failed = append(failed, err)
	}
	if found == nil {
		return nil, fmt.Errorf("%w: end that, or sign in with --no-browser", joined(failed))
	}
	c := &callback{signIn: s, ticket: ticket, answers: make(chan answer, 1), strangers: make(chan struct{}, 1)}
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: browserPatience, WriteTimeout: browserPatience, MaxHeaderBytes: largestHead}
	c.server.SetKeepAlivesEnabled(false)
	for _, one := range found {
		go func() { _ = c.server.Serve(one) }()
	}
	return c, nil
}

// joined is all that went wrong in one line.
func joined(failed []error) error {
	texts := make([]string, len(failed))
	for i, err := range failed {
		texts[i] = err.Error()
	}
	return errors.New(strings.Join(texts, ", "))
}

// start is the address that a browser is given.
func (c *callback) start() string {
	start := url.URL{Scheme: c.signIn.redirect.Scheme, Host: c.signIn.redirect.Host, Path: startPath + c.ticket}
	return start.String()
}

// listeners are one for an address, or one for each kind of address of localhost. A machine
// may have but one kind, and that is enough; a port that somebody else has is not, because the
// browser might bring the code there.
func (t *tool) listeners(redirect *url.URL) ([]net.Listener, error) {
	host, port := redirect.Hostname(), orDefault(redirect.Port(), plainPort)
	if number, err := strconv.Atoi(port); err != nil || number < 1 || number > 65535 {
		return nil, fmt.Errorf("%s names no port to listen on", redirect)
	}
	hosts := []string{host}
	if host == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	var found []net.Listener
	var failed error
	for _, one := range hosts {
		address := net.JoinHostPort(one, port)
		listener, err := t.listenOn("tcp", address)
		switch {
		case err == nil:
			found = append(found, listener)
		case is(err, syscall.EADDRINUSE, windowsInUse):
			for _, open := range found {
				_ = open.Close()
			}
			return nil, fmt.Errorf("%s is taken by another program", address)
		case failed == nil && is(err, syscall.EACCES, windowsForbidden):
			failed = fmt.Errorf("you may not listen on %s", address)
		case failed == nil:
			failed = fmt.Errorf("cannot listen on %s", address)
		}
	}
	if found == nil {
		return nil, failed
	}
	return found, nil
}

// What Windows calls EADDRINUSE and EACCES of a socket. Go knows them by other numbers.
const (
	windowsInUse     = syscall.Errno(10048)
	windowsForbidden = syscall.Errno(10013)
)

// is tells whether the system gave one of these errors.
func is(err error, these ...syscall.Errno) bool {
	var given syscall.Errno
	return errors.As(err, &given) && slices.Contains(these, given)
}

// ServeHTTP takes the one answer. The first that is ours counts; what others send a browser to
// bring is refused, and the wait goes on.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	isStart := subtle.ConstantTimeCompare([]byte(r.URL.Path), []byte(startPath+c.ticket)) == 1
	switch {
	case !isStart && r.URL.EscapedPath() != pathOf(c.signIn.redirect):
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case isStart:
		c.begin(w)
		return
	case !isAnswer(r.URL.Query()):
		pageNothing.write(w)
		return
	case !c.signIn.isOurs(r.URL.Query()):
		select {
		case c.strangers <- struct{}{}:
		default: // one is told of already
		}
		pageWrongState.write(w)
		return
	}
	c.give(w, c.signIn.judge(r.URL.Query()))
}

// begin sends the browser to the service, once. Who comes second is the person or somebody
// else, and so was the first: the sign-in ends.
func (c *callback) begin(w http.ResponseWriter) {
	if c.started.Swap(true) {
		c.give(w, answer{page: pageOpenedTwice, problem: errors.New("the address that was given to the browser was opened twice, and somebody else on this machine may have it: begin again")})
		return
	}
	header := w.Header()
	header.Set("Location", c.signIn.address)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusFound)
}

// give hands an answer to whoever waits, if it is the first.
func (c *callback) give(w http.ResponseWriter, given answer) {
	select {
	case c.answers <- given:
		given.page.write(w)
	default:
		pageNothing.write(w)
	}
}

// close ends the listeners at once, and the rest when the browser has its page.
func (c *callback) close() {
	ctx, cancel := context.WithTimeout(context.Background(), pagePatience)
	defer cancel()
	if c.server.Shutdown(ctx) != nil {
		_ = c.server.Close()
	}
}
