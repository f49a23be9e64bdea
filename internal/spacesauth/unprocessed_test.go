package spacesauth_test

import (
	"context"
	"testing"

	"golang.org/x/net/http2"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// HTTP/2 has a way to say that a request was not processed, and servers that restart or are
// full say it all the time. A refresh token that was sent so is as good as before, and the host
// is neither up nor down. Whatever else ends a request may have spent it.
func TestWhatWasNotProcessedIsNotSent(t *testing.T) {
	reset := func(code http2.ErrCode) func(*frames, uint32) {
		return func(f *frames, stream uint32) { _ = f.WriteRSTStream(stream, code) }
	}
	goAway := func(last func(stream uint32) uint32, code http2.ErrCode, debug string, stays bool) func(*frames, uint32) {
		return func(f *frames, stream uint32) {
			_ = f.WriteGoAway(last(stream), code, []byte(debug))
			if !stays {
				_ = f.conn.Close()
			}
		}
	}
	before := func(stream uint32) uint32 { return max(stream, 2) - 2 }
	this := func(stream uint32) uint32 { return stream }
	for sentence, given := range map[string]struct {
		end   func(*frames, uint32)
		later bool // not the first request of its connection
		early bool // before its body was read
		want  spacesauth.Kind
	}{
		"refused":                           {end: reset(http2.ErrCodeRefusedStream), want: spacesauth.KindUnavailable},
		"refused before its body was read":  {end: reset(http2.ErrCodeRefusedStream), early: true, want: spacesauth.KindUnavailable},
		"refused, as a later one":           {end: reset(http2.ErrCodeRefusedStream), later: true, want: spacesauth.KindUnavailable},
		"left out of a GOAWAY":              {end: goAway(before, http2.ErrCodeNo, "", true), want: spacesauth.KindUnavailable},
		"left out of a GOAWAY, as a later":  {end: goAway(before, http2.ErrCodeNo, "", true), later: true, want: spacesauth.KindUnavailable},
		"left out of a GOAWAY for a reason": {end: goAway(before, http2.ErrCodeEnhanceYourCalm, "", true), want: spacesauth.KindUnavailable},
		"left out, and the end":             {end: goAway(before, http2.ErrCodeEnhanceYourCalm, "", false), want: spacesauth.KindUnavailable},
		"left out as a later, and the end":  {end: goAway(before, http2.ErrCodeInternal, "", false), later: true, want: spacesauth.KindUnavailable},

		"named by a GOAWAY, and the end":      {end: goAway(this, http2.ErrCodeNo, "", false), want: spacesauth.KindAmbiguous},
		"named, and the end of a later":       {end: goAway(this, http2.ErrCodeInternal, "", false), later: true, want: spacesauth.KindAmbiguous},
		"named, by words that say otherwise":  {end: goAway(this, http2.ErrCodeNo, "stream error: stream ID 1; REFUSED_STREAM", false), want: spacesauth.KindAmbiguous},
		"ended as a mistake in the protocol":  {end: reset(http2.ErrCodeProtocol), want: spacesauth.KindAmbiguous},
		"ended by trouble of the server":      {end: reset(http2.ErrCodeInternal), want: spacesauth.KindAmbiguous},
		"given up by the server":              {end: reset(http2.ErrCodeCancel), want: spacesauth.KindAmbiguous},
		"ended with its connection":           {end: func(f *frames, _ uint32) { _ = f.conn.Close() }, want: spacesauth.KindAmbiguous},
		"ended with its connection, as later": {end: func(f *frames, _ uint32) { _ = f.conn.Close() }, later: true, want: spacesauth.KindAmbiguous},
	} {
		t.Run(sentence, func(t *testing.T) {
			server, answers := &frameServer{onWhole: given.end}, 0
			switch {
			case given.early:
				server.onHeaders, server.onWhole = given.end, nil
			case given.later:
				answers = 1
				server.onWhole = func(f *frames, stream uint32) {
					if f.number == 1 && len(f.streams) == 1 {
						f.answer(stream)
					} else {
						given.end(f, stream)
					}
				}
			}
			client := server.start(t).client(t, 15)
			for range answers {
				if _, err := client.Token(context.Background(), application(), refresh("before"), nil); err != nil {
					t.Fatal(err)
				}
			}
			_, err := client.Token(context.Background(), application(), refresh("sent-1"), nil)

			failure := failureOf(err)
			if kind(t, err) != given.want || failure.HostUnjudged != (given.want == spacesauth.KindUnavailable) {
				t.Errorf("the error was %+v, want %s", failure, given.want)
			}
			expectNoSecret(t, err, "sent-1", appSecret)
			// Go's transport would repeat some of these, if it could rewind the body.
			if connections, begun, whole := server.seen(); connections != 1 || begun != answers+1 || !given.early && whole != begun {
				t.Errorf("the server saw %d connections, %d requests and %d whole ones", connections, begun, whole)
			}
		})
	}
}

// What is told to be not processed is worth another try at once, over another connection.
func TestACallAfterAGoAwayGoesOverANewConnection(t *testing.T) {
	server := (&frameServer{onWhole: func(f *frames, stream uint32) {
		if f.number == 1 {
			_ = f.WriteGoAway(0, http2.ErrCodeNo, nil)
		} else {
			f.answer(stream)
		}
	}}).start(t)
	client := server.client(t, 15)
	if _, err := client.Token(context.Background(), application(), refresh("sent-1"), nil); kind(t, err) != spacesauth.KindUnavailable {
		t.Errorf("the error was %v", err)
	}
	if _, err := client.Token(context.Background(), application(), refresh("sent-1"), nil); err != nil {
		t.Error(err)
	}
}
