package fakespaces

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// deliver writes the answer, records whether it arrived, and cuts the
// connection where the answer ends so.
//
// An answer that is lost by design is recorded before its first byte leaves,
// and any other one while calls with the same grant or code wait in arrive: either
// way a client that reacts to what it sees finds it recorded. Whether the
// client is still there is asked before writing: afterwards one that has read
// the answer and hung up would look like one that never got it.
func (s *Service) deliver(w http.ResponseWriter, r *http.Request, f *flight, a *answer) {
	if a.ending != endsWhole || r.Context().Err() != nil {
		s.settle(f, lost)
	}
	s.take(f)
	outcome := delivered
	if err := s.write(w, r, a); err != nil {
		outcome = lost
	}
	s.settle(f, outcome) // the first outcome stands

	switch a.ending {
	case endsWhole, endsUnread:
	case endsUnsent, endsCut, endsStalled:
		// The way to close a connection that works in every version of HTTP.
		panic(http.ErrAbortHandler)
	}
}

func (s *Service) write(w http.ResponseWriter, r *http.Request, a *answer) error {
	if a.ending == endsUnsent {
		return nil
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	body := a.body()
	if a.padding == 0 {
		// With its length given, the answer is whole for the client once it is
		// flushed, and not only when this handler returns.
		w.Header().Set("Content-Length", strconv.Itoa(a.announced(body)))
	}
	w.WriteHeader(a.status)
	if a.padding > 0 {
		return writePadded(w, a.padding, body)
	}
	if a.ending == endsCut || a.ending == endsStalled {
		body = body[:legible(body)]
	}
	if _, err := w.Write(body); err != nil {
		return err
	}
	// A writer that cannot be flushed, some middleware's, is taken at its word.
	err := http.NewResponseController(w).Flush()
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if a.ending == endsStalled {
		s.wait(r)
	}
	return nil
}

// announced is the length told to the client. Where the body is not to arrive,
// at least one byte is promised, or an empty one would be whole already.
func (a *answer) announced(body []byte) int {
	if a.ending == endsCut || a.ending == endsStalled {
		return max(len(body), 1)
	}
	return len(body)
}

// legible is how much of a body may be shown when it must not be readable: in
// a token answer that is a few digits of the access token.
func legible(body []byte) int { return min(len(body)/2, 24) }

// writePadded puts a huge first member before the members of an object.
func writePadded(w io.Writer, padding int, body []byte) error {
	if _, err := io.WriteString(w, `{"padding":"`); err != nil {
		return err
	}
	block := bytes.Repeat([]byte("x"), 1<<15)
	for ; padding > 0; padding -= len(block) {
		if _, err := w.Write(block); err != nil {
			return err
		}
	}
	rest := append([]byte(`",`), bytes.TrimPrefix(body, []byte("{"))...)
	if len(body) == 0 || string(body) == "{}" {
		rest = []byte(`"}`)
	}
	_, err := w.Write(rest)
	return err
}

// wait keeps a client waiting until it leaves, or the limit is reached.
func (s *Service) wait(r *http.Request) {
	limit := time.NewTimer(s.stall)
	defer limit.Stop()
	select {
	case <-limit.C:
	case <-r.Context().Done():
	}
}
