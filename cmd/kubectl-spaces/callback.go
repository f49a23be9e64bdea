package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
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

// callback is the listener to which the browser brings the answer: on the host, port
// and path of the redirect URI, and nowhere else.
type callback struct {
	signIn  *signIn
	server  *http.Server
	answers chan answer
}

// listen begins to listen, before any browser is opened.
func listen(s *signIn) (*callback, error) {
	listeners, err := listeners(s.redirect)
	if err != nil {
		return nil, err
	}
	c := &callback{signIn: s, answers: make(chan answer, 1)}
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: browserPatience, WriteTimeout: browserPatience, MaxHeaderBytes: largestHead}
	c.server.SetKeepAlivesEnabled(false)
	for _, one := range listeners {
		go func() { _ = c.server.Serve(one) }()
	}
	return c, nil
}

// listeners are one for an address, or one for each kind of address of localhost. On
// a machine without IPv6 the other is enough; a port that somebody else has is not,
// because the browser might bring the code there.
func listeners(redirect *url.URL) ([]net.Listener, error) {
	host, port := redirect.Hostname(), orDefault(redirect.Port(), plainPort)
	if number, err := strconv.Atoi(port); err != nil || number < 1 || number > 65535 {
		return nil, fmt.Errorf("%s names no port to listen on", redirect)
	}
	hosts := []string{host}
	if host == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	var found []net.Listener
	for i, one := range hosts {
		address := net.JoinHostPort(one, port)
		listener, err := net.Listen("tcp", address)
		switch {
		case err == nil:
			found = append(found, listener)
		case i > 0 && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)):
		default:
			for _, open := range found {
				open.Close()
			}
			return nil, cannotListen(address, err)
		}
	}
	return found, nil
}

func cannotListen(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is taken by another program: end that, or sign in with --no-browser", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("you may not listen on %s: sign in with --no-browser", address)
	}
	return fmt.Errorf("cannot listen on %s: sign in with --no-browser", address)
}

// ServeHTTP takes the one answer. The first that comes counts.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.EscapedPath() != pathOf(c.signIn.redirect):
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case !isAnswer(r.URL.Query()):
		pageNothing.write(w)
		return
	}
	given := c.signIn.judge(r.URL.Query())
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
