package spacestoken_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
	"github.com/spaces-operator/spaces-credential-operator/spacestoken"
)

func TestACallIsSentWithTheToken(t *testing.T) {
	w := newWorld(t)
	client := &http.Client{Transport: spacestoken.NewTransport(w.source)}
	for range 3 {
		w.publish()
		if status := w.get(client, w.server.URL+"/api/users/me"); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	if calls := w.spaces.Ledger().Calls[fakespaces.OperationProfile]; calls != 3 {
		t.Errorf("%d calls for 3", calls)
	}
}

// The swap comes while the call with the token of before is on its way.
func TestARefusedCallIsSentOnceMoreWithTheNewToken(t *testing.T) {
	w := newWorld(t)
	w.publish()
	client := &http.Client{Transport: spacestoken.NewTransport(w.source)}
	var once sync.Once
	w.spaces.Intercept(func(call fakespaces.Call) fakespaces.Fault {
		if call.Operation == fakespaces.OperationProfile {
			once.Do(func() { w.publish() })
		}
		return fakespaces.NoFault
	})
	if status := w.get(client, w.server.URL+"/api/users/me"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if calls := w.spaces.Ledger().Calls[fakespaces.OperationProfile]; calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
}

func TestARefusedCallIsNotSentAgainWithTheSameToken(t *testing.T) {
	w := newWorld(t)
	w.publish()
	w.renew() // the volume lags behind
	client := &http.Client{Transport: spacestoken.NewTransport(w.source)}
	if status := w.get(client, w.server.URL+"/api/users/me"); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
	if calls := w.spaces.Ledger().Calls[fakespaces.OperationProfile]; calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}

// refusing answers each call by 401, after it has put another token into the volume.
func refusing(w *world) (server *httptest.Server, bodies *[]string) {
	bodies = &[]string{}
	server = httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.Error(err)
		}
		*bodies = append(*bodies, string(body))
		w.write(testbed.TokenFiles("token-"+strings.Repeat("x", len(*bodies)), "Bearer", server.URL, w.now().Add(lifetime)))
		answer.WriteHeader(http.StatusUnauthorized)
	}))
	w.Cleanup(server.Close)
	w.write(testbed.TokenFiles("token", "Bearer", server.URL, w.now().Add(lifetime)))
	return server, bodies
}

func TestABodyIsSentAgainOnlyWhereItCanBe(t *testing.T) {
	for sentence, c := range map[string]struct {
		body io.Reader
		want string
	}{
		"a body that can be read again":    {strings.NewReader("hello"), "hello hello"},
		"a body that can be read once":     {io.LimitReader(strings.NewReader("hello"), 5), "hello"},
		"no body":                          {nil, " "},
		"a body of which is said: nothing": {http.NoBody, " "},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			server, bodies := refusing(w)
			client := &http.Client{Transport: spacestoken.NewTransport(w.source, spacestoken.WithBase(&forgetful{}))}
			response, err := client.Post(server.URL, "text/plain", c.body)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			// A service that refuses all of them is asked twice, not for ever.
			if got := strings.Join(*bodies, " "); response.StatusCode != http.StatusUnauthorized || got != c.want {
				t.Errorf("status %d, the service got %q, want %q", response.StatusCode, got, c.want)
			}
		})
	}
}

// forgetful is a transport that rewinds no body, as that of net/http would.
type forgetful struct{ http.Transport }

func (f *forgetful) RoundTrip(request *http.Request) (*http.Response, error) {
	once := request.Clone(request.Context())
	once.GetBody = nil
	return f.Transport.RoundTrip(once)
}

// elsewhere is a host that the token is not for, and notes what it is told.
func elsewhere(t *testing.T) (server *httptest.Server, heard *[]string) {
	t.Helper()
	heard = &[]string{}
	server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		*heard = append(*heard, r.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	return server, heard
}

func TestARedirectToAnotherHostCarriesNoToken(t *testing.T) {
	w := newWorld(t)
	other, heard := elsewhere(t)
	api := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer api.Close()
	w.write(testbed.TokenFiles("token", "Bearer", api.URL, w.now().Add(lifetime)))
	client := &http.Client{Transport: spacestoken.NewTransport(w.source)}
	if status := w.get(client, api.URL); status != http.StatusOK || strings.Join(*heard, "|") != "" || len(*heard) != 1 {
		t.Errorf("status %d, the other host heard %d calls with %q", status, len(*heard), *heard)
	}
}

func TestACallToAnotherHostIsAnError(t *testing.T) {
	w := newWorld(t)
	w.publish()
	other, heard := elsewhere(t)
	body := &closed{Reader: strings.NewReader("hello")}
	response, err := (&http.Client{Transport: spacestoken.NewTransport(w.source)}).Post(other.URL, "text/plain", body)
	if err == nil {
		response.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "the token is for "+w.server.URL+" and not for "+other.URL) || len(*heard) > 0 || !body.closed {
		t.Errorf("error %v, %d calls, body closed: %t", err, len(*heard), body.closed)
	}
	client := &http.Client{Transport: spacestoken.NewTransport(w.source, spacestoken.WithOrigin(other.URL+"/path"))}
	if status := w.get(client, other.URL); status != http.StatusOK || len(*heard) != 1 || !strings.HasPrefix((*heard)[0], "Bearer ") {
		t.Errorf("status %d, the host that is allowed heard %d calls", status, len(*heard))
	}
}

type closed struct {
	io.Reader
	closed bool
}

func (c *closed) Close() error {
	c.closed = true
	return nil
}

func TestTheCallersRequestIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.publish()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, w.server.URL+"/api/users/me", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := spacestoken.NewTransport(w.source, spacestoken.WithBase(&http.Transport{})).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || len(request.Header) > 0 {
		t.Errorf("status %d, and the request has %d headers", response.StatusCode, len(request.Header))
	}
}

// Tokens are swapped under calls as they go on, and the service ends each one as it gives the next.
func TestNoCallIsRefusedOverManySwaps(t *testing.T) {
	w := newWorld(t)
	w.publish()
	client := &http.Client{Transport: spacestoken.NewTransport(w.source)}
	// No call is judged while the volume lags behind the service: nothing helps against that.
	var lag sync.RWMutex
	w.spaces.Intercept(func(call fakespaces.Call) fakespaces.Fault {
		if call.Operation == fakespaces.OperationProfile {
			lag.RLock()
			defer lag.RUnlock()
		}
		return fakespaces.NoFault
	})
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	var called []chan struct{}
	for range 4 {
		told := make(chan struct{})
		called = append(called, told)
		callers.Go(func() {
			for {
				if status := w.get(client, w.server.URL+"/api/users/me"); status != http.StatusOK {
					t.Errorf("status %d", status)
				}
				select {
				case <-ctx.Done():
					return
				case told <- struct{}{}:
				}
			}
		})
	}
	for range 50 {
		lag.Lock()
		w.publish()
		lag.Unlock()
		// Two swaps within one call would be one too many. The second call began after this swap.
		for range 2 {
			for _, told := range called {
				<-told
			}
		}
	}
	stop()
	callers.Wait()
}

func TestAnOriginThatIsNoneIsAMistake(t *testing.T) {
	defer func() {
		if said := recover(); said == nil {
			t.Error("spaces.example.com was taken for an origin")
		}
	}()
	spacestoken.WithOrigin("spaces.example.com")
}
