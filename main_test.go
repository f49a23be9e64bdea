package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// Bad starts: one clear line, before anything is started.
func TestABadStartSaysWhatIsWrongInOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "environments.yaml")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pair := func(certificate, key string) string {
		at := t.TempDir()
		for name, content := range map[string]string{"tls.crt": certificate, "tls.key": key} {
			if err := os.WriteFile(filepath.Join(at, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return at
	}
	off := []string{"--metrics-bind-address=0", "--health-probe-bind-address=0"}
	away, err := testbed.WriteKubeconfig(t.TempDir(), &rest.Config{Host: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	nowhere, folder := filepath.Join(t.TempDir(), "kubeconfig"), t.TempDir()
	kubeconfig := func(context string) string {
		return file("{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], contexts: [{name: a, context: {cluster: a}}], current-context: '" + context + "'}")
	}
	t.Setenv("KUBECONFIG", "")
	for sentence, c := range map[string]struct {
		arguments []string
		says      string
	}{
		"an unknown flag":               {[]string{"--bogus"}, "-bogus"},
		"a value that is none":          {[]string{"--kube-api-burst=many"}, "kube-api-burst"},
		"a stray argument":              {[]string{"start"}, `"start"`},
		"clients of some namespaces":    {append(off, "--watch-namespaces=a", "--cluster-clients=true"), "--cluster-clients and --client-namespace need an operator of all namespaces"},
		"a client namespace of some":    {append(off, "--watch-namespace-selector=a=b", "--client-namespace=c"), "--cluster-clients and --client-namespace need an operator of all namespaces"},
		"a client namespace of none":    {append(off, "--client-namespace=A/b"), `--client-namespace "A/b" is no name of a namespace`},
		"no concurrency":                {[]string{"--max-concurrent-reconciles=0"}, "--max-concurrent-reconciles"},
		"a log that tells Secrets":      {[]string{"--zap-log-level=8"}, "--zap-log-level must be at most 7"},
		"an address in use":             {[]string{"--metrics-bind-address=" + taken.Addr().String()}, taken.Addr().String()},
		"a probe address in use":        {[]string{"--metrics-bind-address=0", "--health-probe-bind-address=" + taken.Addr().String()}, taken.Addr().String()},
		"a missing environments file":   {append(off, "--environments-file=/nonexistent/environments.yaml"), "/nonexistent/environments.yaml"},
		"an environments file of wrong": {append(off, "--environments-file="+file("environments: [{name: a, wrong: b}]")), "wrong"},
		"a call longer than the grace": {append(off, "--environments-file="+file(
			"environments: [{name: staging, timeoutSeconds: 21}]")), `"staging"`},
		"an API server that is away":       {append(off, "--kubeconfig="+away), "http://127.0.0.1:1 cannot be used"},
		"a kubeconfig that is not there":   {append(off, "--kubeconfig="+nowhere), "--kubeconfig names " + nowhere + ", which does not exist"},
		"a kubeconfig that is a folder":    {append(off, "--kubeconfig="+folder), folder + ": is a directory"},
		"a kubeconfig that is none":        {append(off, "--kubeconfig="+file("token: t0k3n")), "is no kubeconfig"},
		"a kubeconfig that is a text":      {append(off, "--kubeconfig="+file("t0k3n")), "is no kubeconfig"},
		"a kubeconfig that is empty":       {append(off, "--kubeconfig="+file("")), "is no kubeconfig"},
		"a kubeconfig without a context":   {append(off, "--kubeconfig="+kubeconfig("")), "has no current-context"},
		"a kubeconfig with another's":      {append(off, "--kubeconfig="+kubeconfig("b")), `whose current-context "b" it does not have (it has a)`},
		"a key Secret without a namespace": {append(off, "--state-key-secret=keys"), `--state-key-secret must be namespace/name, not "keys"`},
		"a key Secret with too much":       {append(off, "--state-key-secret=a/b/c"), `--state-key-secret must be namespace/name`},
		"a folder without a certificate":   {append(off, "--metrics-cert-path="+folder), folder + " holds no certificate that can be served: open " + filepath.Join(folder, "tls.crt")},
		"a certificate that is none":       {append(off, "--metrics-cert-path="+pair("t0k3n", "t0k3n")), "holds no certificate that can be served"},
		"a certificate without encryption": {append(off, "--metrics-secure=false", "--metrics-cert-path="+folder), "--metrics-cert-path needs --metrics-secure"},
		"a key Secret without a name":      {append(off, "--state-key-secret=a/"), `--state-key-secret must be namespace/name`},
	} {
		t.Run(sentence, func(t *testing.T) {
			expectOneLine(t, attempt(t, c.arguments...), c.says)
		})
	}
}

// What KUBECONFIG names is told like what the flag names; of several files one may be missing.
func TestAWrongKUBECONFIGIsSaidInOneLine(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "kubeconfig")
	away, err := testbed.WriteKubeconfig(t.TempDir(), &rest.Config{Host: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	for files, says := range map[string]string{
		nowhere:                           "KUBECONFIG names " + nowhere + ", which does not exist",
		nowhere + "::" + nowhere + "-too": nowhere + " and " + nowhere + "-too, which does not exist",
		nowhere + ":" + away:              "http://127.0.0.1:1 cannot be used",
	} {
		t.Setenv("KUBECONFIG", files)
		expectOneLine(t, attempt(t, "--metrics-bind-address=0", "--health-probe-bind-address=0"), says)
	}
}

// attempt is a start that should fail. One that does not ends all the same.
func attempt(t *testing.T, arguments ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return run(ctx, arguments, &bytes.Buffer{}, clock.RealClock{})
}

// expectOneLine expects that a start failed, with one line that says this.
func expectOneLine(t *testing.T, err error, says string) {
	t.Helper()
	if err == nil {
		t.Fatal("it started")
	}
	if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "t0k3n") {
		t.Errorf("it said %q, want one line with %q", err, says)
	}
}

func TestHelpAndVersionPrintAndStop(t *testing.T) {
	for flag, says := range map[string]string{"--help": "-environments-file", "--version": version} {
		var out bytes.Buffer
		if err := run(t.Context(), []string{flag}, &out, clock.RealClock{}); err != nil {
			t.Errorf("%s: %v", flag, err)
		}
		if !strings.Contains(out.String(), says) {
			t.Errorf("%s printed %q", flag, out.String())
		}
	}
}

func TestTheServiceIsToldNameAndVersion(t *testing.T) {
	var said atomic.Value
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { said.Store(r.UserAgent()) }))
	t.Cleanup(service.Close)
	file := filepath.Join(t.TempDir(), "environments.yaml")
	content := fmt.Sprintf("environments: [{name: local, accountsURL: %q, apiURL: %[1]q}]", service.URL)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := parse([]string{"--environments-file=" + file}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	environments, err := s.loadEnvironments()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = environments.clients["local"].Guest(t.Context(), spacesauth.Guest{}, nil)
	if said.Load() != "spaces-credential-operator/"+version {
		t.Errorf("it was told %v", said.Load())
	}
}

func TestNoTwoLivesShareAHolderName(t *testing.T) {
	one, err := holderName()
	if err != nil {
		t.Fatal(err)
	}
	other, err := holderName()
	if err != nil {
		t.Fatal(err)
	}
	if one == other {
		t.Errorf("both are %q", one)
	}
}
