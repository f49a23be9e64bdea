package controllers

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
