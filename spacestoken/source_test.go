package spacestoken_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega/format"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
	"github.com/spaces-operator/spaces-credential-operator/spacestoken"
)

func TestANewTokenIsSeenAtOnce(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.expectToken(w.publish())
	}
}

func TestATokenCarriesItsTypeAndItsEnd(t *testing.T) {
	w := newWorld(t)
	end := w.now().Add(time.Minute)
	w.write(testbed.TokenFiles("guest", "jwt", "https://spaces.example", end))
	token, err := w.source.Token()
	if err != nil || token.TokenType != "jwt" || !token.Expiry.Equal(end) {
		t.Errorf("type %q, end %s, error %v", token.TokenType, token.Expiry, err)
	}
	if url, err := w.source.APIURL(); err != nil || url != "https://spaces.example" {
		t.Errorf("URL %q, error %v", url, err)
	}
}

func TestAnUnchangedFolderIsNotRead(t *testing.T) {
	w := newWorld(t)
	w.mount("first", w.now().Add(lifetime))
	w.expectToken("first")
	// The kubelet never does this; here it shows that nobody looked.
	inPlace(t, w.volume.Path, map[string]string{"access_token": "second"})
	w.expectToken("first")
	w.step(lifetime - 5*time.Second)
	w.expectToken("second") // near the end it is looked for whatever the link says
}

func TestAnExpiredTokenIsNotGiven(t *testing.T) {
	w := newWorld(t)
	w.mount("first", w.now().Add(lifetime))
	w.expectToken("first")
	w.step(lifetime)
	_, err := w.source.Token()
	var unusable *spacestoken.Error
	if !errors.Is(err, spacestoken.ErrExpired) || !errors.As(err, &unusable) {
		t.Fatalf("error %v", err)
	}
	want := "spacestoken: " + filepath.Join(w.volume.Path, "expires_at") + ": the token ended at 2026-11-26T11:00:00Z, and it is 2026-11-26T11:00:00Z: its renewal fails, or"
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("the error is %q", err)
	}
	w.mount("second", w.now().Add(lifetime))
	w.expectToken("second")
}

func TestATokenThatLivesOutlivesItsFolder(t *testing.T) {
	w := newWorld(t)
	w.mount("first", w.now().Add(lifetime))
	w.expectToken("first")
	w.mount("older", w.now().Add(-lifetime)) // a Secret that was put back
	w.expectToken("first")
	if err := os.Remove(filepath.Join(w.volume.Path, "..data")); err != nil {
		t.Fatal(err)
	}
	w.expectToken("first")
	w.step(lifetime)
	if _, err := w.source.Token(); err == nil {
		t.Error("the token was given past its end")
	}
}

func TestAnUnusableFolderIsTold(t *testing.T) {
	good := testbed.TokenFiles("hush-hush", "Bearer", "https://spaces.example", newClock().now().Add(lifetime))
	for sentence, c := range map[string]struct {
		file, content string // "-" takes the file away
		says          string
	}{
		"no token file":        {"access_token", "-", "/access_token: there is no such file: mount the whole published Secret"},
		"no end":               {"expires_at", "-", "/expires_at: there is no such file: mount the whole published Secret"},
		"an empty token":       {"access_token", "", "/access_token: it is empty: mount the whole Secret"},
		"a token of two lines": {"access_token", "hush-hush\nhush-hush", "/access_token: it holds something else than one token"},
		"a token for an end":   {"expires_at", "hush-hush", "/expires_at: it holds no time of the form"},
		"no type":              {"token_type", "", "/token_type: it holds no type of a token"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			files := map[string]string{}
			for file, content := range good {
				if file == c.file {
					content = c.content
				}
				if content != "-" {
					files[file] = content
				}
			}
			w.write(files)
			_, err := w.source.Token()
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hush") {
				t.Errorf("the error is %v", err)
			}
			if c.content == "-" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the cause is %v", errors.Unwrap(err))
			}
		})
	}
	t.Run("no folder", func(t *testing.T) {
		_, err := spacestoken.New(filepath.Join(t.TempDir(), "none")).Token()
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none: there is no such file") {
			t.Errorf("the error is %v", err)
		}
	})
}

// Each token has an end of its own, so that a mixture shows.
func TestATokenIsNeverGivenWithAnothersEnd(t *testing.T) {
	for sentence, path := range map[string]func(volume string) string{
		"the folder of the volume": func(volume string) string { return volume },
		"a folder inside of it":    func(volume string) string { return filepath.Join(volume, "inside") },
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			start := w.now().Add(lifetime)
			const swaps = 150
			last := fmt.Sprintf("token-%d", swaps)
			swap := func(n int) error {
				return w.volume.Write(testbed.TokenFiles(fmt.Sprintf("token-%d", n), "Bearer", fmt.Sprintf("https://%d.example", n), start.Add(time.Duration(n)*time.Second)))
			}
			if err := swap(0); err != nil {
				t.Fatal(err)
			}
			// What the kubelet makes of items with a folder in their path: a link through ..data.
			if err := os.Symlink("..data", filepath.Join(w.volume.Path, "inside")); err != nil {
				t.Fatal(err)
			}
			swapped := make(chan error, 1)
			done := make(chan struct{})
			go func() {
				var err error
				for n := 1; n <= swaps && err == nil; n++ {
					err = swap(n)
				}
				close(done)
				swapped <- err
			}()
			held := spacestoken.New(path(w.volume.Path), spacestoken.WithClock(w.now))
			var readers sync.WaitGroup
			for n := range 4 {
				readers.Go(func() {
					for ended := false; !ended; {
						select {
						case <-done:
							ended = true // and once more: the last one must be seen
						default:
						}
						source := held
						if n%2 == 0 { // one that holds no token over a moment without files
							source = spacestoken.New(path(w.volume.Path), spacestoken.WithClock(w.now))
						}
						token, err := source.Token()
						if err != nil {
							t.Error(err)
							return
						}
						if want := fmt.Sprintf("token-%d", int(token.Expiry.Sub(start).Seconds())); token.AccessToken != want {
							t.Errorf("%s came with the end of %s", token.AccessToken, want)
							return
						}
						if ended && token.AccessToken != last {
							t.Errorf("%s was given when the last token was there", token.AccessToken)
						}
					}
				})
			}
			readers.Wait()
			if err := <-swapped; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAPlainFolderIsReadForEachCall(t *testing.T) {
	folder := t.TempDir()
	c := newClock()
	inPlace(t, folder, testbed.TokenFiles("first\n", "Bearer\n", "https://spaces.example\n", c.now().Add(lifetime)))
	source := spacestoken.New(folder, spacestoken.WithClock(c.now))
	for _, want := range []string{"first", "second"} {
		token, err := source.Token()
		if err != nil || token.AccessToken != want {
			t.Errorf("error %v, or not the %s token", err, want)
		}
		inPlace(t, folder, map[string]string{"access_token": "second"})
	}
}

func TestNothingPrintsAToken(t *testing.T) {
	w := newWorld(t)
	w.mount("hush-hush", w.now().Add(lifetime))
	w.expectToken("hush-hush")
	transport := spacestoken.NewTransport(w.source)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		// The last hides the methods of the Source behind a field that is not exported.
		for _, value := range []any{w.source, transport, struct{ hidden *spacestoken.Source }{w.source}} {
			if said := fmt.Sprintf(verb, value); strings.Contains(said, "hush") {
				t.Errorf("%s prints %s", verb, said)
			}
			// It follows every pointer.
			if said := format.Object(value, 0); strings.Contains(said, "hush") {
				t.Errorf("Gomega prints %s", said)
			}
		}
	}
	if said := fmt.Sprint(w.source); said != "spacestoken of "+w.volume.Path {
		t.Errorf("a Source prints as %s", said)
	}
}

// inPlace writes files without replacing them.
func inPlace(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
