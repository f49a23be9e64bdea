package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/rest"
)

const (
	// compareLimit is how long the comparison before a watch may take.
	compareLimit = 10 * time.Second
	// compareSize bounds its answer, which holds the metadata of one object.
	compareSize = 4 << 20
	// namesOnly asks for metadata alone.
	namesOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
)

// rewatch is on the way of informers to the API server. An informer whose watch broke takes it
// up again at the last version it saw. Where etcd was put back to a backup that version is still
// to come: the API server takes the watch and tells nothing of what went back, and the informer
// shows for hours what is not there any more. So the newest version is asked for before a watch
// is taken up; where that is an older one the informer is told that its own has expired, and
// lists everything anew.
type rewatch struct {
	next http.RoundTripper
	log  logr.Logger
}

// rewatching is the way to the API server for informers.
func rewatching(kubernetes *rest.Config, log logr.Logger) *rest.Config {
	guarded := rest.CopyConfig(kubernetes)
	guarded.Wrap(func(next http.RoundTripper) http.RoundTripper { return rewatch{next: next, log: log} })
	return guarded
}

// RoundTrip implements http.RoundTripper.
func (r rewatch) RoundTrip(request *http.Request) (*http.Response, error) {
	from := resumedFrom(request.URL)
	if from == "" {
		return r.next.RoundTrip(request)
	}
	answer, err := r.compare(request)
	if err != nil || answer.StatusCode != http.StatusOK {
		return answer, err // no watch is better than one from nobody knows where
	}
	newest, err := versionOf(answer)
	if err != nil {
		return nil, fmt.Errorf("asking for the newest version before a watch: %w", err)
	}
	if order, err := resourceversion.CompareResourceVersion(newest, from); err != nil || order >= 0 {
		return r.next.RoundTrip(request)
	}
	r.log.Info("The API server went back in time, as from a backup of etcd: everything is read anew", "path", request.URL.Path, "known", from, "newest", newest)
	return expired(request, from)
}

// resumedFrom is the version at which a watch is taken up; empty where a request does no such
// thing.
func resumedFrom(asked *url.URL) string {
	query := asked.Query()
	if from := query.Get("resourceVersion"); query.Get("watch") == "true" && from != "0" {
		return from
	}
	return ""
}

// compare lists one object of those that are to be watched, for the version of the list.
func (r rewatch) compare(watch *http.Request) (*http.Response, error) {
	list := watch.Clone(watch.Context())
	query := list.URL.Query()
	for _, parameter := range []string{"watch", "resourceVersion", "resourceVersionMatch", "allowWatchBookmarks", "sendInitialEvents", "timeoutSeconds"} {
		query.Del(parameter)
	}
	query.Set("limit", "1")
	query.Set("timeout", compareLimit.String())
	list.URL.RawQuery = query.Encode()
	list.Header.Set("Accept", namesOnly)
	return r.next.RoundTrip(list)
}

// versionOf reads the version of a list.
func versionOf(answer *http.Response) (string, error) {
	defer answer.Body.Close()
	var list struct {
		Metadata metav1.ListMeta `json:"metadata"`
	}
	err := json.NewDecoder(io.LimitReader(answer.Body, compareSize)).Decode(&list)
	return list.Metadata.ResourceVersion, err
}

// expired is the answer to a watch from a version that the API server does not know any more.
func expired(request *http.Request, version string) (*http.Response, error) {
	status := apierrors.NewResourceExpired(fmt.Sprintf("the version %s is not known any more", version)).Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	body, err := json.Marshal(status)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(http.StatusGone), StatusCode: http.StatusGone, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: request,
	}, nil
}
