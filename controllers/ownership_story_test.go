package controllers

import (
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ownedStory is a story in which the namespace controller or the garbage collector acts,
// too: the real ones, of kube-controller-manager.
type ownedStory struct {
	crashStory
	// deleting is what a person does.
	deleting func(w *world)
	// moving tells that they have done what they do before the operator acts.
	moving func(w *world) bool
}

func readyByPassword(w *world) {
	GinkgoHelper()
	ready(w, byPassword("bot"), clientInput(), loginInput())
}

// goes is the end that the operator can reach alone.
func goes(w *world) {
	GinkgoHelper()
	Expect(w.stateExists("bot")).To(BeFalse())
	Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
}

// stateDeleted tells that the state Secret is deleted and only our finalizer holds it.
func stateDeleted(w *world) bool {
	GinkgoHelper()
	state := w.secret("bot-grant")
	return state != nil && state.DeletionTimestamp != nil && w.secret("bot") == nil
}

// deleteAs deletes the credential with a propagation policy, as kubectl's --cascade does.
func (w *world) deleteAs(policy metav1.DeletionPropagation) {
	GinkgoHelper()
	Expect(admin.Delete(w.ctx, w.credential("bot"), client.PropagationPolicy(policy))).To(Succeed())
}

var ownedStories = map[string]ownedStory{
	"deletion of the namespace": {
		crashStory: crashStory{begin: readyByPassword, end: goes},
		deleting: func(w *world) {
			w.delete(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
		},
		moving: func(w *world) bool {
			return stateDeleted(w) && !w.credential("bot").DeletionTimestamp.IsZero() && w.secret("spaces-client") == nil
		},
	},
	"deletion in the foreground": {
		crashStory: crashStory{begin: func(w *world) {
			ready(w, bySeed("bot"), clientInput(), w.seedInput())
		}, end: goes},
		deleting: func(w *world) { w.deleteAs(metav1.DeletePropagationForeground) },
		moving:   stateDeleted,
	},
	"deletion that orphans": {
		crashStory: crashStory{begin: readyByPassword, end: goes},
		deleting:   func(w *world) { w.deleteAs(metav1.DeletePropagationOrphan) },
		moving: func(w *world) bool {
			return !slices.Contains(w.credential("bot").Finalizers, metav1.FinalizerOrphanDependents)
		},
	},
	"a torn off finalizer, and the garbage collector": {
		crashStory: crashStory{begin: readyByPassword, end: goes},
		deleting:   func(w *world) { w.vanish("bot") },
		moving:     stateDeleted,
	},
}

// mostRequests and mostCalls are more than any of these stories makes: how many there will
// be is not known when the worlds begin.
const mostRequests, mostCalls = 8, 3

// most is the number of worlds that a mishap needs.
func (m mishap) most() int {
	if m == stoppedAtRest {
		return 1
	}
	if m.ofCalls() {
		return mostCalls
	}
	return mostRequests
}

// telling is one of these stories in a world of its own, with one mishap.
type telling struct {
	*cell
	number int
	world  *world
}

var _ = Describe("A deletion with the real controllers", ofMatrix, Ordered, func() {
	BeforeAll(func() {
		Expect(plane.StartControllers(GinkgoWriter)).To(Succeed())
		DeferCleanup(func() { Expect(plane.StopControllers()).To(Succeed()) })
	})

	// All worlds begin at once and are told together: the namespace controller takes its time.
	It("reaches its goal and loses no grant", func() {
		var cells []*cell
		var all []telling
		for name, story := range ownedStories {
			for _, m := range slices.Concat(mishaps, splits) {
				if !isWhole && !slices.Contains(sampled(name), m) {
					continue
				}
				cell := cellOf(name, m)
				cells = append(cells, cell)
				for number := range m.most() {
					w := newWorld()
					mirrors.end(w.namespace) // the controllers write here, too
					story.begin(w)
					all = append(all, telling{cell: cell, number: number + 1, world: w})
				}
			}
		}
		soonCollectorKnows(all)
		for _, t := range all {
			ownedStories[t.Story].deleting(t.world)
		}
		soonAll(all, "is in motion", func(t telling) bool { return ownedStories[t.Story].moving(t.world) })
		for _, t := range all {
			if t.tell() {
				Expect(t.number < t.Mishap.most() || t.Mishap == stoppedAtRest).To(BeTrue(), "raise mostRequests or mostCalls")
				t.Told++
			}
		}
		soonAll(all, "is gone", telling.gone)
		for _, cell := range cells {
			Expect(cell.Told).To(BeNumerically(">", 0), "%s never struck in: %s", cell.Mishap, cell.Story)
			cell.Passed = true
		}
	})
})

func (t telling) String() string { return fmt.Sprintf("%s, %s %d", t.Story, t.Mishap, t.number) }

// tell tells the story with its mishap. It returns false when the mishap did not strike.
func (t telling) tell() bool {
	By(t.String())
	return ownedStories[t.Story].proceed(t.world, t.Mishap, t.number) == t.number
}

// gone tells that nothing is left, the namespace where it was deleted.
func (t telling) gone() bool {
	w := t.world
	var namespace corev1.Namespace
	err := admin.Get(w.ctx, types.NamespacedName{Name: w.namespace}, &namespace)
	if apierrors.IsNotFound(err) {
		return true
	}
	Expect(err).NotTo(HaveOccurred())
	return namespace.DeletionTimestamp.IsZero() && !w.exists("bot") && !w.stateExists("bot") && w.secret("bot") == nil
}
