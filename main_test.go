package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

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
	off := []string{"--metrics-bind-address=0", "--health-probe-bind-address=0"}
	away, err := testbed.WriteKubeconfig(t.TempDir(), &rest.Config{Host: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	nowhere := filepath.Join(t.TempDir(), "kubeconfig")
	for sentence, c := range map[string]struct {
		arguments []string
		says      string
	}{
		"an unknown flag":               {[]string{"--bogus"}, "-bogus"},
		"a value that is none":          {[]string{"--kube-api-burst=many"}, "kube-api-burst"},
		"a stray argument":              {[]string{"start"}, `"start"`},
		"no concurrency":                {[]string{"--max-concurrent-reconciles=0"}, "--max-concurrent-reconciles"},
		"a log that tells Secrets":      {[]string{"--zap-log-level=8"}, "--zap-log-level must be at most 7"},
		"an address in use":             {[]string{"--metrics-bind-address=" + taken.Addr().String()}, taken.Addr().String()},
		"a probe address in use":        {[]string{"--metrics-bind-address=0", "--health-probe-bind-address=" + taken.Addr().String()}, taken.Addr().String()},
		"a missing environments file":   {append(off, "--environments-file=/nonexistent/environments.yaml"), "/nonexistent/environments.yaml"},
		"an environments file of wrong": {append(off, "--environments-file="+file("environments: [{name: a, wrong: b}]")), "wrong"},
		"a call longer than the grace": {append(off, "--environments-file="+file(
			"environments: [{name: staging, timeoutSeconds: 21}]")), `"staging"`},
		"an API server that is away": {append(off, "--kubeconfig="+away), "http://127.0.0.1:1 cannot be used"},
		"no way to the API server":   {append(off, "--kubeconfig="+nowhere), "kubeconfig"},
	} {
		t.Run(sentence, func(t *testing.T) {
			err := run(context.Background(), c.arguments, &bytes.Buffer{})
			if err == nil {
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("it said %q, want one line with %q", err, c.says)
			}
		})
	}
}

// Without the CRD the operator would wait for it without a word.
func TestAClusterWithoutTheCRDIsSaidInOneLine(t *testing.T) {
	plane, err := testbed.StartControlPlane()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	}()
	kubeconfig, err := testbed.WriteKubeconfig(t.TempDir(), plane.Config)
	if err != nil {
		t.Fatal(err)
	}
	err = run(t.Context(), []string{"--kubeconfig=" + kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=0"}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "make install") || strings.Contains(err.Error(), "\n") {
		t.Errorf("it said %v, want one line with make install", err)
	}
}

func TestHelpAndVersionPrintAndStop(t *testing.T) {
	for flag, says := range map[string]string{"--help": "-environments-file", "--version": version} {
		var out bytes.Buffer
		if err := run(context.Background(), []string{flag}, &out); err != nil {
			t.Errorf("%s: %v", flag, err)
		}
		if !strings.Contains(out.String(), says) {
			t.Errorf("%s printed %q", flag, out.String())
		}
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
