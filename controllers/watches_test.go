package controllers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestStripSecretMetadataKeepsOnlyWhatTheLoopLooksAt(t *testing.T) {
	object := partial(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "data", v1alpha1.AnnotationCredentialUID: "uid"})
	stripped, err := StripSecretMetadata(object)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(stripped)
	if strings.Contains(string(raw), "last-applied") || !strings.Contains(string(raw), "credential-uid") {
		t.Errorf("kept %s", raw)
	}
}

// There are as many states as credentials. Nothing that anybody writes on one is looked at.
func TestStripSecretMetadataKeepsNoAnnotationOfAState(t *testing.T) {
	object := partial(map[string]string{
		v1alpha1.AnnotationCredential: "bot", v1alpha1.AnnotationCredentialUID: "uid",
		v1alpha1.AnnotationFingerprint: "same", v1alpha1.AnnotationRejected: "same",
	})
	object.Labels = map[string]string{v1alpha1.LabelSecret: v1alpha1.SecretGrant, "team": "a"}
	object.Finalizers = []string{v1alpha1.FinalizerGrant}
	stripped, err := StripSecretMetadata(object)
	if err != nil {
		t.Fatal(err)
	}
	kept := stripped.(*metav1.PartialObjectMetadata)
	if len(kept.Annotations) != 0 || len(kept.Labels) != 1 || kept.Labels[v1alpha1.LabelSecret] != v1alpha1.SecretGrant || len(kept.Finalizers) != 1 {
		t.Errorf("kept %+v", kept.ObjectMeta)
	}
}

// Whatever anybody writes on a Secret, little of it is kept.
func TestAForeignSecretCostsLittleMemory(t *testing.T) {
	long := strings.Repeat("x", 250<<10)
	object := partial(map[string]string{
		v1alpha1.GroupName + "/whatever": long, v1alpha1.AnnotationCredential: long, v1alpha1.AnnotationCredentialUID: long,
	})
	object.Labels = map[string]string{v1alpha1.GroupName + "/x": "y", v1alpha1.LabelSecret: "z"}
	object.OwnerReferences = []metav1.OwnerReference{{Name: long, UID: "x", Controller: ptr.To(true)}}
	for i := range 60_000 {
		object.Finalizers = append(object.Finalizers, fmt.Sprintf("example.com/%d", i))
		object.OwnerReferences = append(object.OwnerReferences, metav1.OwnerReference{Name: "x", UID: types.UID(fmt.Sprint(i))})
	}
	object.Finalizers = append(object.Finalizers, v1alpha1.FinalizerGrant)
	stripped, err := StripSecretMetadata(object)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(stripped)
	if len(raw) > 1<<10 {
		t.Errorf("%d bytes are kept: %.300s", len(raw), raw)
	}
	kept := stripped.(*metav1.PartialObjectMetadata)
	if !slices.Equal(kept.Finalizers, []string{v1alpha1.FinalizerGrant}) {
		t.Errorf("our finalizer is lost: %v", kept.Finalizers)
	}
}

func TestAnInformerKeepsNothingTwiceOfACredential(t *testing.T) {
	credential := &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{
		Name: "bot", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
		Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: "all of it", v1alpha1.AnnotationRenewRequestedAt: "now"},
	}}
	stripped, err := StripCredential(credential)
	if err != nil {
		t.Fatal(err)
	}
	kept := stripped.(*v1alpha1.SpacesCredential)
	if kept.ManagedFields != nil || len(kept.Annotations) != 1 {
		t.Errorf("kept %v", kept.ObjectMeta)
	}
}

func partial(annotations map[string]string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "x", Annotations: annotations}}
}

// The outcome of a look at a list tells when to look again.
func TestARoundLooksAgainWhenTheSoonestCanGoOn(t *testing.T) {
	trouble := waitingFor(v1alpha1.ReasonRevocationFailing, "x")
	for sentence, c := range map[string]struct {
		waits    []outcome
		wake     time.Time
		standing standing
	}{
		"nothing waits":                        {nil, time.Time{}, settled},
		"the first is sooner":                  {[]outcome{trouble.at(noon), trouble.at(noon.Add(1))}, noon, waiting},
		"the second is sooner":                 {[]outcome{trouble.at(noon.Add(1)), trouble.at(noon)}, noon, waiting},
		"a turn that comes before the trouble": {[]outcome{pacedUntil(noon), trouble.at(noon.Add(1))}, noon, waiting},
		"a turn that comes after the trouble":  {[]outcome{trouble.at(noon), pacedUntil(noon.Add(1))}, noon, waiting},
		"only turns":                           {[]outcome{pacedUntil(noon.Add(1)), pacedUntil(noon)}, noon, paced},
	} {
		t.Run(sentence, func(t *testing.T) {
			var o round
			for _, why := range c.waits {
				o.waits(why)
			}
			if !o.outcome.wake.Equal(c.wake) || o.outcome.standing != c.standing {
				t.Errorf("it looks again at %s, standing %d", o.outcome.wake, o.outcome.standing)
			}
		})
	}
}

// A process need not look at what it wrote itself, but at everything else: an older version too,
// a deleted one, and the same version of another Secret.
func TestWhatAProcessWroteItselfIsNoNews(t *testing.T) {
	known := recollection{state: &state{uid: "state", resourceVersion: "7"}, published: published{uid: "published", resourceVersion: "9"}}
	deleted := metav1.Now()
	for sentence, given := range map[string]struct {
		secret metav1.PartialObjectMetadata
		knows  bool
	}{
		"its state":                {metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "state", ResourceVersion: "7"}}, true},
		"its published Secret":     {metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "published", ResourceVersion: "9"}}, true},
		"a newer state":            {metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "state", ResourceVersion: "8"}}, false},
		"an older state":           {metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "state", ResourceVersion: "6"}}, false},
		"a deleted state":          {metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "state", ResourceVersion: "7", DeletionTimestamp: &deleted}}, false},
		"another of that version":  {metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "other", ResourceVersion: "7"}}, false},
		"one that was made anew":   {metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "published-2", ResourceVersion: "9"}}, false},
		"one without any identity": {metav1.PartialObjectMetadata{}, false},
	} {
		if got := known.knows(&given.secret); got != given.knows {
			t.Errorf("%s: it knows it: %t", sentence, got)
		}
	}
	if (recollection{}).knows(&metav1.PartialObjectMetadata{}) {
		t.Error("whoever remembers nothing knows nothing")
	}
}
