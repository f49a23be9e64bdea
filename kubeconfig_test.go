package main

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

func TestTheAPIServerIsAskedForNothingCompressed(t *testing.T) {
	asked := make(chan http.Header, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) { asked <- request.Header }))
	defer server.Close()
	path, err := testbed.WriteKubeconfig(t.TempDir(), &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{
		CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := parse([]string{"--kubeconfig=" + path}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	kubernetes, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	calls, err := rest.HTTPClientFor(rewatching(kubernetes, logr.Discard()))
	if err != nil {
		t.Fatal(err)
	}
	response, err := calls.Get(kubernetes.Host)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if encoding := (<-asked).Get("Accept-Encoding"); encoding != "" {
		t.Errorf("what is compressed with %s is asked for", encoding)
	}
}
