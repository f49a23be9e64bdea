package spacestoken_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
	"github.com/spaces-operator/spaces-credential-operator/spacestoken"
)

// mounted is a folder as the kubelet would mount it, with a guest's token of a service in memory.
func mounted() (path string, unmount func()) {
	spaces := httptest.NewServer(fakespaces.New())
	path, err := os.MkdirTemp("", "spaces-")
	if err != nil {
		panic(err)
	}
	volume := &testbed.Volume{Path: path}
	if err := volume.Write(testbed.TokenFiles(guestOf(spaces.URL), "jwt", spaces.URL, time.Now().Add(time.Hour))); err != nil {
		panic(err)
	}
	return path, func() {
		spaces.Close()
		_ = os.RemoveAll(path)
	}
}

func Example() {
	path, unmount := mounted() // in a Pod the kubelet does that, at /var/run/spaces
	defer unmount()

	source := spacestoken.New(path)
	client := &http.Client{Transport: spacestoken.NewTransport(source), Timeout: 30 * time.Second}
	url, err := source.APIURL()
	if err != nil {
		panic(err)
	}
	response, err := client.Get(url + "/api/users/me")
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	// Output: 200 OK
}

func ExampleSource_Token() {
	path, unmount := mounted()
	defer unmount()

	token, err := spacestoken.New(path).Token()
	if err != nil {
		panic(err)
	}
	fmt.Println(token.TokenType, token.Valid())
	// Output: jwt true
}

func ExampleError() {
	_, err := spacestoken.New("/var/run/nothing").Token()
	var unusable *spacestoken.Error
	if errors.As(err, &unusable) {
		fmt.Println(unusable.Path)
		fmt.Println(unusable.Found)
	}
	// Output:
	// /var/run/nothing
	// there is no such file
}
