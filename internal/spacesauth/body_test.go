package spacesauth

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// A transport may keep a body for a moment after the call has failed. What was
// reported as not sent must not be sent then.
func TestABodyThatWasGivenUpGivesNothing(t *testing.T) {
	for sentence, giveUp := range map[string]func(*guardedBody){
		"by the call":      func(b *guardedBody) { _, _ = b.shut() },
		"by the transport": func(b *guardedBody) { _ = b.Close() },
	} {
		t.Run(sentence, func(t *testing.T) {
			body := &guardedBody{form: strings.NewReader("secret"), guard: func() error {
				t.Error("the guard was asked")
				return nil
			}}
			giveUp(body)
			if read, err := io.ReadAll(body); len(read) > 0 || err == nil {
				t.Errorf("it gave %d bytes (%v)", len(read), err)
			}
			if begun, refused := body.shut(); begun || refused != nil {
				t.Errorf("it tells begun: %v, refused: %v", begun, refused)
			}
		})
	}
}

func TestARefusedBodyStaysRefused(t *testing.T) {
	asked := 0
	refusal := errors.New("no")
	body := &guardedBody{form: strings.NewReader("secret"), guard: func() error {
		asked++
		return refusal
	}}
	for range 2 {
		if read, err := io.ReadAll(body); len(read) > 0 || !errors.Is(err, refusal) {
			t.Errorf("it gave %d bytes (%v)", len(read), err)
		}
	}
	if begun, refused := body.shut(); begun || !errors.Is(refused, refusal) || asked != 1 {
		t.Errorf("it tells begun: %v, refused: %v, after asking %d times", begun, refused, asked)
	}
}
