package main

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// tell stores an event as the operator writes it.
func tell(t *testing.T, namespace, kind, name, eventType, reason, note string, ago time.Duration, edits ...func(*eventsv1.Event)) {
	t.Helper()
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "event-"},
		EventTime:  metav1.NewMicroTime(noon.Add(-ago)), ReportingController: v1alpha1.FieldManager, ReportingInstance: "operator-1",
		Action: "Reconcile", Type: eventType, Reason: reason, Note: note,
		Regarding: corev1.ObjectReference{Kind: kind, Namespace: namespace, Name: name},
	}
	for _, edit := range edits {
		edit(event)
	}
	NewWithT(t).Expect(admin.Create(t.Context(), event)).To(Succeed())
}

func TestEventsTellsWhatTheOperatorSaid(t *testing.T) {
	g := NewWithT(t)
	namespace := newNamespace(t, "events")
	object := create(t, credential(t, withPassword, namespace, published))
	create(t, credential(t, withPassword, namespace, named("other")))
	tell(t, namespace, v1alpha1.Kind, object.Name, corev1.EventTypeNormal, v1alpha1.ReasonIssued, "The service issued\x1b[31m a token.", 30*time.Minute)
	tell(t, namespace, v1alpha1.Kind, "other", corev1.EventTypeWarning, v1alpha1.ReasonGrantRejected, "The service refused the grant.", 20*time.Minute)
	tell(t, namespace, "Secret", object.GrantSecretName(), corev1.EventTypeWarning, "Released", "It is a copy.", 10*time.Minute,
		func(e *eventsv1.Event) {
			e.Series = &eventsv1.EventSeries{Count: 4, LastObservedTime: metav1.NewMicroTime(noon.Add(-time.Minute))}
		})
	tell(t, namespace, "Secret", "somebody-elses", corev1.EventTypeNormal, "Adopted", "By another program.", time.Minute,
		func(e *eventsv1.Event) { e.ReportingController = "another" })
	for golden, arguments := range map[string][]string{
		"events":          {"events"},
		"events_one":      {"events", "spcred/" + object.Name},
		"events_warnings": {"events", "--warnings"},
	} {
		s := newSession()
		g.Expect(s.run(t.Context(), namespace, arguments...)).To(Equal(exitDone), s.err.String())
		expectGolden(t, golden, s.out.String())
	}
	s := newSession()
	g.Expect(s.run(t.Context(), namespace, "events", "-A")).To(Equal(exitDone), s.err.String())
	g.Expect(s.out.String()).To(ContainSubstring("SpacesCredential events/other"))

	for sentence, c := range map[string]struct {
		arguments []string
		code      int
		says      string
	}{
		"one that does not exist": {[]string{"nobody"}, exitFailed, `SpacesCredential "nobody" does not exist`},
		"a name, and all":         {[]string{object.Name, "-A"}, exitUsage, "not both"},
		"without the right":       {[]string{"--as=" + viewer}, exitFailed, `you may not list events in namespace "events"`},
	} {
		s := newSession()
		g.Expect(s.run(t.Context(), namespace, append([]string{"events"}, c.arguments...)...)).To(Equal(c.code), sentence)
		g.Expect(s.err.String()).To(ContainSubstring(c.says), sentence)
	}
	s = newSession()
	g.Expect(s.run(t.Context(), newNamespace(t, "events-none"), "events")).To(Equal(exitDone))
	g.Expect(strings.TrimSpace(s.err.String())).To(HavePrefix("There is no such event."))
}
