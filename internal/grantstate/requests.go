package grantstate

import (
	"strings"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
)

const (
	// maxRequest bounds what is kept and told of a request's value; longer ones are
	// compared by their beginning.
	maxRequest = 256
	// requestPause is the least time between two requests for a renewal that are heard.
	requestPause = 10 * time.Second
)

// requests are what persons asked for by annotation, as far as it was acted on.
type requests struct {
	// HandledRenew and HandledRevoke are the requests that were acted on; TriedRenew is
	// the one that went before the backoff, and TriedRenewTime is when.
	HandledRenew   string    `json:"handledRenewRequest,omitempty"`
	TriedRenew     string    `json:"triedRenewRequest,omitempty"`
	TriedRenewTime time.Time `json:"triedRenewTime,omitzero"`
	HandledRevoke  string    `json:"handledRevokeRequest,omitempty"`
	// ExportRefusal is why HandledExport was refused, if it was.
	HandledExport string `json:"handledExportRequest,omitempty"`
	ExportRefusal string `json:"exportRefusal,omitempty"`
}

// requestOf returns the value of a request annotation, bounded.
func requestOf(credential *v1alpha1.SpacesCredential, annotation string) string {
	value := credential.Annotations[annotation]
	if len(value) > maxRequest {
		// Half a character would come back from the state as another one, and the
		// request would never count as handled.
		value = strings.ToValidUTF8(value[:maxRequest], "")
	}
	return value
}

// HandledRenewRequest is the last request for a renewal that was acted on.
func (d Document) HandledRenewRequest() string { return d.requests.HandledRenew }

// HandledRevokeRequest is the last request for a revocation that was acted on.
func (d Document) HandledRevokeRequest() string { return d.requests.HandledRevoke }

// renew is the request for a renewal that is not handled yet, or "".
func (r requests) renew(credential *v1alpha1.SpacesCredential) string {
	request := requestOf(credential, v1alpha1.AnnotationRenewRequestedAt)
	if request == r.HandledRenew {
		return ""
	}
	return request
}

// revoke is the request for a revocation that is not handled yet, or "".
func (r requests) revoke(credential *v1alpha1.SpacesCredential) string {
	request := requestOf(credential, v1alpha1.AnnotationRevokeRequestedAt)
	if request == r.HandledRevoke {
		return ""
	}
	return request
}

// answer marks the requests that are there as handled.
func (r *requests) answer(credential *v1alpha1.SpacesCredential) {
	r.HandledRenew = requestOf(credential, v1alpha1.AnnotationRenewRequestedAt)
	r.HandledRevoke = requestOf(credential, v1alpha1.AnnotationRevokeRequestedAt)
	r.HandledExport = requestOf(credential, v1alpha1.AnnotationExportRequestedAt)
}

// try notes that the request for a renewal, if there is one, goes before the backoff.
func (r *requests) try(credential *v1alpha1.SpacesCredential, now time.Time) (request string) {
	if request = r.renew(credential); request != "" && request != r.TriedRenew {
		r.TriedRenew, r.TriedRenewTime = request, now
	}
	return request
}

// heardAt is when a request that was not tried yet is heard: at once, unless another was
// heard just before. It is zero when it is heard now.
func (r requests) heardAt(credential *v1alpha1.SpacesCredential, now time.Time) time.Time {
	next := r.TriedRenewTime.Add(requestPause)
	if request := r.renew(credential); request == "" || request == r.TriedRenew || !backoff.Within(now, next, requestPause) {
		return time.Time{}
	}
	return next
}
