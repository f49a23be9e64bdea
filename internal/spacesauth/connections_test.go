package spacesauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// farWorld is a world whose service is behind TLS and a wire.
type farWorld struct {
	*world
	wire  *wire
	major atomic.Int32 // the HTTP version of the last call
}

func newFarWorld(t *testing.T, http2 bool, timeoutSeconds int) *farWorld {
	t.Helper()
	w := &farWorld{world: newWorld(t)}
	server, caFile := serveTLS(t, http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		w.major.Store(int32(in.ProtoMajor))
		w.ServeHTTP(out, in)
	}), func(s *httptest.Server) { s.EnableHTTP2 = http2 })
	w.wire = newWire(t, server.Listener.Addr().String())
	environment := trusting("https://"+w.wire.listener.Addr().String(), caFile)
	environment.TimeoutSeconds = timeoutSeconds
	w.client = clientOf(t, environment, spacesauth.WithClock(w.clock))
	return w
}

// within spends as somebody who waits for so long. As in the loop, the deadline is by a clock
// that the context does not know.
func (w *farWorld) within(d time.Duration, grant spacesauth.Grant) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	timer := time.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	defer timer.Stop()
	defer cancel(context.Canceled)
	_, err := w.client.Token(ctx, application(), grant, nil)
	return err
}

func (w *farWorld) expect(err error, want spacesauth.Kind, dialled int) {
	w.t.Helper()
	if kind(w.t, err) != want {
		w.t.Errorf("the error was %v, want %q", err, want)
	}
	if got := w.wire.dialled(); got != dialled {
		w.t.Errorf("%d connections were dialled, want %d", got, dialled)
	}
}

// moment is how long a call waits that is meant to wait in vain: far less than the pings of a
// connection need to find out that it is dead.
const moment = 500 * time.Millisecond

// A network that swallows packets says nothing to anybody. Seen: twelve calls in a row over
// the same dead connection.
func TestADeadConnectionCostsOneAttempt(t *testing.T) {
	for sentence, http2 := range map[string]bool{"over HTTP/1.1": false, "over HTTP/2": true} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newFarWorld(t, http2, 15)
			w.expect(w.within(time.Minute, password()), "", 1)
			if got := w.major.Load(); got == 2 != http2 {
				t.Fatalf("it was HTTP/%d", got)
			}
			w.wire.swallow()
			w.expect(w.within(moment, password()), spacesauth.KindAmbiguous, 1)
			w.expect(w.within(time.Minute, password()), "", 2)
			w.expect(w.within(time.Minute, password()), "", 2)
		})
	}
}

// Whatever swallowed one connection swallowed those beside it, too.
func TestConnectionsBesideADeadOneAreNotTriedOneByOne(t *testing.T) {
	w := newFarWorld(t, false, 15)
	const calls = 4
	met := make(chan struct{})
	var waiting atomic.Int32
	w.InterceptAnswer(func(fakespaces.Call) {
		if waiting.Add(1) == calls {
			close(met)
		}
		<-met
	})
	done := make(chan error)
	for range calls {
		go func() { done <- w.within(time.Minute, password()) }()
	}
	for range calls {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	w.InterceptAnswer(nil)
	w.wire.swallow()
	w.expect(w.within(moment, password()), spacesauth.KindAmbiguous, calls)
	w.expect(w.within(time.Minute, password()), "", calls+1)
}

// A connection that dies in mid-answer is as dead as any.
func TestAConnectionThatDiesInMidAnswerIsNotUsedAgain(t *testing.T) {
	for sentence, http2 := range map[string]bool{"over HTTP/1.1": false, "over HTTP/2": true} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			stall := make(chan struct{})
			var calls atomic.Int32
			server, caFile := serveTLS(t, http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
				_, _ = out.Write([]byte(`{"access_token":"at",`))
				if calls.Add(1) == 2 {
					_ = http.NewResponseController(out).Flush()
					<-stall
				}
				_, _ = out.Write([]byte(`"refresh_token":"rt"}`))
			}), func(s *httptest.Server) { s.EnableHTTP2 = http2 })
			t.Cleanup(func() { close(stall) }) // before the server waits for its handlers
			w := &farWorld{world: newWorld(t), wire: newWire(t, server.Listener.Addr().String())}
			w.client = clientOf(t, trusting("https://"+w.wire.listener.Addr().String(), caFile))
			w.expect(w.within(time.Minute, password()), "", 1)
			w.expect(w.within(moment, password()), spacesauth.KindAmbiguous, 1)
			w.expect(w.within(time.Minute, password()), "", 2)
		})
	}
}

// A slow call beside others is no reason to cut those: each may be the only answer that brings
// a refresh token.
func TestCallsUnderWayOutliveATimeoutBesideThem(t *testing.T) {
	w := newFarWorld(t, true, 15)
	w.expect(w.within(time.Minute, password()), "", 1)
	token := w.IssueGrant(appID, bot)
	began, goOn := make(chan struct{}), make(chan struct{})
	w.Intercept(func(call fakespaces.Call) fakespaces.Fault {
		if call.Operation == fakespaces.OperationRefresh {
			close(began)
			<-goOn
		} else {
			<-call.Gone()
		}
		return fakespaces.NoFault
	})
	slow := make(chan error)
	go func() { slow <- w.within(time.Minute, refresh(token)) }()
	<-began
	w.expect(w.within(moment, password()), spacesauth.KindAmbiguous, 1)
	w.Intercept(nil)
	w.expect(w.within(time.Minute, password()), "", 2)
	close(goOn)
	w.expect(<-slow, "", 2)
}

// Whoever gives up a call says nothing about the connection that it was on.
func TestACallThatWasGivenUpCostsNoConnection(t *testing.T) {
	w := newFarWorld(t, true, 15)
	ctx, giveUp := context.WithCancel(context.Background())
	w.InterceptAnswer(func(call fakespaces.Call) {
		giveUp()
		<-call.Gone()
	})
	_, err := w.client.Token(ctx, application(), password(), nil)
	w.InterceptAnswer(nil)
	w.expect(err, spacesauth.KindAmbiguous, 1)
	w.expect(w.within(time.Minute, password()), "", 1)
}

// Pings find out sooner than the call, and for all calls at once.
func TestADeadConnectionIsNoticedBeforeTheCallIsOver(t *testing.T) {
	t.Parallel()
	w := newFarWorld(t, true, 4)
	w.expect(w.within(time.Minute, password()), "", 1)
	w.wire.swallow()
	err := w.within(time.Minute, password())
	w.expect(err, spacesauth.KindAmbiguous, 1)
	if !strings.Contains(err.Error(), "the connection broke") {
		t.Errorf("the call ran into its timeout: %v", err)
	}
	w.expect(w.within(time.Minute, password()), "", 2)
}

// A service that thinks for long answers pings all the same, and is not taken for dead.
func TestASlowServiceIsNotTakenForADeadConnection(t *testing.T) {
	t.Parallel()
	server := (&frameServer{onPing: func(f *frames) {
		if f.pings == 2 { // so the first one was answered in time
			f.answer(f.streams[0])
		}
	}}).start(t)
	// A sign of life is asked for after each second.
	if _, err := server.client(t, 3).Token(context.Background(), application(), refresh("sent-1"), nil); err != nil {
		t.Error(err)
	}
}
