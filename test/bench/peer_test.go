package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"text/template"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// The peer must be what was looked at, and nothing that came in its place.
func TestThePeerIsTheOneThatIsWrittenDown(t *testing.T) {
	folder, err := readDownload([]byte(`{"Path": "p", "Version": "v1", "Dir": "/modules/p@v1", "Sum": "` + peerSum + `"}`))
	if err != nil || folder != "/modules/p@v1" {
		t.Errorf("the folder is %q (%v)", folder, err)
	}
	for answer, says := range map[string]string{
		`{"Dir": "/modules/p@v1", "Sum": "h1:other"}`: "h1:other",
		`{"Error": "no such version"}`:                "no such version",
		``:                                            "go mod download answers",
	} {
		if folder, err := readDownload([]byte(answer)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q gives the folder %q (%v)", answer, folder, err)
		}
	}
}

// What the generator sends, filled in as the peer fills it in, is the sign-in of the operator.
func TestTheGeneratorSignsInAsTheOperatorDoes(t *testing.T) {
	service, err := testbed.StartService(fakespaces.WithClient(clientID, clientSecret), fakespaces.WithUser(username, password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Stop() })
	sent := make(chan fakespaces.Operation, 1)
	service.InterceptAnswer(func(call fakespaces.Call) { sent <- call.Operation })
	webhook := webhookOf("a", service.URL)
	field := func(names ...string) string {
		value, found, err := unstructured.NestedString(webhook.Object, append([]string{"spec"}, names...)...)
		if err != nil || !found {
			t.Fatalf("the generator has no %q (%v)", names, err)
		}
		return value
	}
	var body bytes.Buffer
	filled := template.Must(template.New("body").Option("missingkey=error").Parse(field("body")))
	if err := filled.Execute(&body, map[string]any{"input": peerInput("a").StringData}); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), field("method"), field("url"), &body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", field("headers", "Content-Type"))
	client := &http.Client{Timeout: time.Minute}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte("access_token")) {
		t.Errorf("the service answers %s: %s (%v)", response.Status, answer, err)
	}
	if operation := <-sent; operation != fakespaces.OperationPassword {
		t.Errorf("the service saw %v", operation)
	}
}

func TestTokensAreNewWhereNoneIsThatOfBefore(t *testing.T) {
	before := map[string]string{"a/1": "old-1", "a/2": "old-2"}
	for sentence, c := range map[string]struct {
		now  map[string]string
		want bool
	}{
		"all are new":      {map[string]string{"a/1": "new-1", "a/2": "new-2"}, true},
		"one is as before": {map[string]string{"a/1": "new-1", "a/2": "old-2"}, false},
		"one is missing":   {map[string]string{"a/1": "new-1"}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := isNewOf(before, c.now, 2); got != c.want {
				t.Errorf("they are taken for new: %v", got)
			}
		})
	}
}
