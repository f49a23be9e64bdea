package spacesauth_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wire is a network between a client and a server that can swallow what is sent. What it
// swallows it never ends: neither side is told.
type wire struct {
	listener net.Listener
	server   string

	mutex sync.Mutex
	lines []*line
}

// line is one connection through a wire.
type line struct {
	near, far net.Conn

	mutex     sync.Mutex
	swallowed bool
}

// newWire leads to the address of a server.
func newWire(t *testing.T, server string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: listener, server: server}
	t.Cleanup(w.cut)
	go w.accept()
	return w
}

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.server)
		if err != nil {
			_ = near.Close()
			continue
		}
		l := &line{near: near, far: far}
		w.mutex.Lock()
		w.lines = append(w.lines, l)
		w.mutex.Unlock()
		go l.carry(far, near)
		go l.carry(near, far)
	}
}

// carry passes on what comes, until the line is swallowed.
func (l *line) carry(to, from net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if l.isSwallowed() {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if err != nil {
			_ = to.Close()
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (l *line) isSwallowed() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.swallowed
}

// swallow lets nothing pass any more on the connections that there are. New ones are fine.
func (w *wire) swallow() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, l := range w.lines {
		l.mutex.Lock()
		l.swallowed = true
		l.mutex.Unlock()
	}
}

// dialled counts the connections so far.
func (w *wire) dialled() int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return len(w.lines)
}

func (w *wire) cut() {
	_ = w.listener.Close()
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, l := range w.lines {
		_, _ = l.near.Close(), l.far.Close()
	}
}
