package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestTheCommandServesAndSaysGoodbye(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, saying := io.Pipe()
	seen := make(chan string, 1)
	go func() {
		line := make([]byte, 200)
		n, _ := said.Read(line)
		seen <- string(line[:n])
		_, _ = io.Copy(io.Discard, said)
	}()
	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{
			"--listen", "127.0.0.1:0", "--client", "app:secret", "--user", "bot:pass:word", "--seed", "app:bot",
			"--token-lifetime", "20s", "--rotation", "never", "--reuse-detection=false", "--grace-period", "3s",
			"--fault", "profile=html-502:1", "--guest-lifetime", "60s", "--replication-delay", "1s",
			"--redirect-uri", "app=http://localhost:3000/?a=b",
		}, &out, saying)
	}()
	_, address, _ := strings.Cut(strings.TrimSpace(<-seen), "serving on ")

	form := url.Values{"grant_type": {"password"}, "client_id": {"app"}, "client_secret": {"secret"}, "username": {"bot"}, "password": {"pass:word"}}
	if got := body(t, func() (*http.Response, error) { return http.PostForm(address+"/oauth2/access_token", form) }); !strings.Contains(got, `"expires_in":20`) {
		t.Errorf("a sign-in answers %q", got)
	}
	if got := body(t, func() (*http.Response, error) { return http.Get(address + "/api/users/me") }); !strings.Contains(got, "502") {
		t.Errorf("a profile answers %q", got)
	}
	for query, want := range map[string]string{
		"redirect_uri=http%3A%2F%2Flocalhost%3A3000%2F%3Fa%3Db": `id="sign-in"`,
		"redirect_uri=http%3A%2F%2Flocalhost%3A3000%2F":         "not registered",
	} {
		page := address + "/oauth2/authorize?client_id=app&response_type=code&" + query
		if got := body(t, func() (*http.Response, error) { return http.Get(page) }); !strings.Contains(got, want) {
			t.Errorf("the page with %s lacks %q: %q", query, want, got)
		}
	}
	if got := body(t, func() (*http.Response, error) { return http.Get(address + "/fakespaces/ledger") }); !strings.Contains(got, `"tokensIssued": 1`) {
		t.Errorf("the ledger is %q", got)
	}

	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	seed, rest, _ := strings.Cut(out.String(), "\n")
	if len(seed) != 40 || !strings.HasPrefix(rest, "tokens issued: 1\n") {
		t.Errorf("standard output is %q", out.String())
	}
}

func body(t *testing.T, call func() (*http.Response, error)) string {
	t.Helper()
	response, err := call()
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAMistakeIsOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for sentence, arguments := range map[string][]string{
		"an address in use":               {"--listen", taken.Addr().String()},
		"an address that is not loopback": {"--listen", "0.0.0.0:0"},
		"every address":                   {"--listen", ":0"},
		"a client without a secret":       {"--client", "app"},
		"a public client without an ID":   {"--public-client", ""},
		"an unknown rotation":             {"--rotation", "x"},
		"an unknown fault":                {"--fault", "refresh=x:0.1"},
		"a fault without a rate":          {"--fault", "refresh=html-502"},
		"a rate above one":                {"--fault", "refresh=html-502:2"},
		"a redirect URI of nobody":        {"--redirect-uri", "=http://localhost:3000/"},
		"a redirect URI without a scheme": {"--redirect-uri", "app=localhost:3000/"},
		"an unknown flag":                 {"--x"},
		"an argument":                     {"x"},
		"a negative lifetime":             {"--token-lifetime", "-1s"},
	} {
		t.Run(sentence, func(t *testing.T) {
			var out, errs bytes.Buffer
			err := run(t.Context(), arguments, &out, &errs)
			if err == nil || strings.Contains(err.Error(), "\n") || out.Len()+errs.Len() > 0 {
				t.Errorf("error %v, output %q, %q", err, out.String(), errs.String())
			}
		})
	}
}

func TestUsageIsForHelp(t *testing.T) {
	var out, errs bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, &out, &errs); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(errs.String(), "-token-lifetime") {
		t.Errorf("usage is %q", errs.String())
	}
}
