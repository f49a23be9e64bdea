package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// answers is an API server: what it answers to a list, by namespace and kind. It counts.
type answers struct {
	client.Reader
	by    map[string]error
	asked int
}

func (a *answers) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	a.asked++
	if err := ctx.Err(); err != nil {
		return err
	}
	if asked.Limit != 1 {
		return errors.New("a look asks for one object")
	}
	return a.by[asked.Namespace+"/"+list.GetObjectKind().GroupVersionKind().Kind]
}

func forbidden(resource string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no\nright"))
}

func TestALookTellsWhatMayNotBeListed(t *testing.T) {
	for sentence, c := range map[string]struct {
		namespace string
		by        map[string]error
		says      string
		isRight   bool
	}{
		"all is well": {namespace: "a"},
		"no Secrets": {"a", map[string]error{"a/SecretList": forbidden("secrets")},
			"may not list Secrets in the namespace a (secrets is forbidden: no right)", true},
		"neither, anywhere": {"", map[string]error{"/SecretList": forbidden("secrets"), "/SpacesCredentialList": forbidden("spacescredentials")},
			"may not list SpacesCredentials and Secrets in all namespaces (secrets is forbidden: no right)", true},
		"the CRD is gone": {"a", map[string]error{"a/SpacesCredentialList": apierrors.NewNotFound(schema.GroupResource{}, "")}, "make install", false},
		"something else":  {"a", map[string]error{"a/SecretList": errors.New("connection refused")}, "listing Secrets in the namespace a: connection refused", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			g := NewWithT(t)
			err := mayServe(t.Context(), &answers{by: c.by}, c.namespace)
			if c.says == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
			g.Expect(asUnreadable(err) != nil).To(Equal(c.isRight))
		})
	}
}

func TestReadinessAsksTheAPIServerOnceInTenSeconds(t *testing.T) {
	g := NewWithT(t)
	now := clocktesting.NewFakeClock(time.Unix(1_000_000, 0))
	server := &answers{by: map[string]error{"a/SecretList": forbidden("secrets")}}
	served, refused := []string{"a", "b", "c"}, error(nil)
	r := &readiness{live: server, clock: now, log: logr.Discard(), served: func() []string { return served }, refused: func() error { return refused }}
	request := httptest.NewRequestWithContext(t.Context(), "GET", "/readyz", nil)

	g.Expect(r.namespaces(request)).To(Succeed(), "b may be read")
	g.Expect(server.asked).To(Equal(4), "two kinds in a and in b, and nothing in c")
	server.by["b/SpacesCredentialList"], server.by["c/SecretList"] = forbidden("spacescredentials"), forbidden("secrets")
	now.Step(readinessPause - 1)
	g.Expect(r.namespaces(request)).To(Succeed(), "it is remembered")
	g.Expect(server.asked).To(Equal(4))
	now.Step(1)
	g.Expect(r.namespaces(request)).To(MatchError(ContainSubstring("may not list Secrets in the namespace a")))
	g.Expect(server.asked).To(Equal(10))
	g.Expect(r.namespaces(request)).NotTo(Succeed(), "a failure is remembered, too")
	g.Expect(server.asked).To(Equal(10))

	clear(server.by)
	now.Step(readinessPause)
	gone, end := context.WithCancel(t.Context())
	end()
	g.Expect(r.namespaces(request.WithContext(gone))).To(Succeed(), "whoever lost patience is no reason")

	served, refused = nil, errors.New("nothing of what the labels choose may be read")
	now.Step(readinessPause)
	g.Expect(r.namespaces(request)).To(MatchError(refused))
	refused = nil
	now.Step(readinessPause)
	g.Expect(r.namespaces(request)).To(Succeed(), "no namespace has the labels yet")
}
