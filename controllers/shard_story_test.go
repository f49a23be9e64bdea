package controllers

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// shard starts a process whose informer shows but the credentials of a shard, as the API server
// does by a label selector.
func (w *world) shard(name string) *operator {
	GinkgoHelper()
	o := w.operator()
	o.IsShard = true
	chosen := labels.SelectorFromSet(labels.Set{v1alpha1.LabelShard: name})
	o.Client = interceptor.NewClient(o.Client.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			err := c.Get(ctx, key, object, options...)
			if credential, ok := object.(*v1alpha1.SpacesCredential); ok && err == nil && !chosen.Matches(labels.Set(credential.Labels)) {
				*credential = v1alpha1.SpacesCredential{}
				return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
			}
			return err
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			err := c.List(ctx, list, options...)
			if credentials, ok := list.(*v1alpha1.SpacesCredentialList); ok {
				credentials.Items = slices.DeleteFunc(credentials.Items, func(c v1alpha1.SpacesCredential) bool { return !chosen.Matches(labels.Set(c.Labels)) })
			}
			return err
		},
	})
	return o
}

var _ = Describe("Operators that share the work by a label", func() {
	var w *world
	var a, b *operator
	BeforeEach(func() {
		w = newWorld()
		a, b = w.shard("a"), w.shard("b")
	})

	of := func(shard string) func(*v1alpha1.SpacesCredential) {
		return func(c *v1alpha1.SpacesCredential) { c.Labels = map[string]string{v1alpha1.LabelShard: shard} }
	}
	move := func(name, shard string) {
		GinkgoHelper()
		credential := w.credential(name)
		credential.Labels = map[string]string{v1alpha1.LabelShard: shard}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
	}
	// hears has a shard look at a credential that is not its own, as events of Secrets are
	// everybody's.
	hears := func(o *operator, name string) {
		GinkgoHelper()
		result, err := o.Reconcile(w.ctx, ctrl.Request{NamespacedName: w.key(name)})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(BeZero())
	}
	// both look again and again.
	both := func(name string, during time.Duration) {
		GinkgoHelper()
		for end := w.clock.Now().Add(during); w.clock.Now().Before(end); w.step(time.Minute) {
			for shard, o := range map[string]*operator{"a": a, "b": b} {
				if credential := w.find(name); credential != nil && credential.Labels[v1alpha1.LabelShard] != shard {
					hears(o, name)
				} else {
					o.reconcile(name)
				}
			}
		}
	}

	It("each makes the tokens of its own, and leaves those of others alone", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot", of("a")), byPassword("bat", of("b")))
		both("bot", time.Minute)
		Expect(w.exists("bat")).To(BeTrue())
		Expect(w.stateExists("bat")).To(BeFalse())
		w.expectReady("bot")
		b.forget()
		both("bat", time.Minute)
		w.expectReady("bat")
		both("bot", 3*lifetime)
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(2))
		w.expectNothingLost()
	})

	It("an event about the state of another shard's costs no request", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot", of("a")))
		a.reconcile("bot")
		w.expectReady("bot")
		hears(b, "bot")
		Expect(b.requests()).To(BeEmpty())
	})

	It("a moved label hands over with its grant", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot", of("a")))
		a.reconcile("bot")
		token := w.expectReady("bot")
		move("bot", "b")
		both("bot", time.Minute)
		Expect(w.expectReady("bot")).To(Equal(token), "nothing is renewed for it")
		both("bot", 3*lifetime)
		w.expectReady("bot")
		move("bot", "a")
		both("bot", 3*lifetime)
		w.expectReady("bot")
		Expect(w.spaces.Ledger().GrantsIssued).To(Equal(1))
		w.expectNothingLost()
		w.expectNothingSentAgain()
	})

	It("a label that moves during a call hands over after its answer", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot", of("a")))
		first := a.reconcile("bot")
		before := w.expectReady("bot")
		w.step(first.RequeueAfter)
		moved := false
		w.spaces.Intercept(func(call fakespaces.Call) fakespaces.Fault {
			if call.Operation == fakespaces.OperationRefresh && !moved {
				moved = true
				move("bot", "b")
				b.reconcile("bot")
				Expect(w.token("bot")).To(Equal(before), "the claim of the other is waited for")
			}
			return ""
		})
		a.reconcile("bot")
		Expect(moved).To(BeTrue())
		both("bot", 5*time.Minute)
		Expect(w.expectReady("bot")).NotTo(Equal(before))
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		w.expectNothingLost()
		w.expectNothingSentAgain()
	})

	It("a process that ends with the answer leaves it to the shard that the label names", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot", of("a")))
		first := a.reconcile("bot")
		w.step(first.RequeueAfter)
		a.on(writeState, plannedFault{}, plannedFault{before: errRefused}) // the claim is written, the save is not
		_, err := a.pass("bot")
		Expect(err).To(HaveOccurred())
		move("bot", "b")
		Expect(a.Drain(w.ctx)).To(Succeed())
		b.settle("bot", 5*time.Minute)
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		w.expectNothingLost()
	})

	It("selectors that overlap spend nothing twice", func() {
		other := w.shard("a")
		w.apply(clientInput(), loginInput(), byPassword("bot", of("a")))
		for end := w.clock.Now().Add(6 * lifetime); w.clock.Now().Before(end); w.step(time.Minute) {
			a.reconcile("bot")
			other.reconcile("bot")
		}
		w.expectReady("bot")
		Expect(w.spaces.Ledger().GrantsIssued).To(Equal(1))
		w.expectNothingLost()
		w.expectNothingSentAgain()
	})

	It("the deletion of one is its own shard's", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot", of("a")))
		a.reconcile("bot")
		w.delete(w.credential("bot"))
		hears(b, "bot")
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
		both("bot", 5*time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.calls(fakespaces.OperationRevoke)).To(Equal(1))
	})

	It("an emergency stop of another shard's credential is left to that shard", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot", of("a")))
		a.reconcile("bot")
		w.delete(w.secret("bot-grant"))
		hears(b, "bot")
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
		both("bot", 5*time.Minute)
		Expect(w.calls(fakespaces.OperationRevoke)).To(Equal(1))
		w.expectReady("bot")
	})

	It("a state whose credential is nobody's any more is retired by any shard, once it is deleted", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot", of("a")))
		a.reconcile("bot")
		w.vanish("bot")
		b.reconcile("bot")
		Expect(w.stateExists("bot")).To(BeTrue(), "the garbage collector has not deleted it yet")
		w.delete(w.secret("bot-grant"))
		both("bot", 5*time.Minute)
		Expect(w.stateExists("bot")).To(BeFalse())
		Expect(w.calls(fakespaces.OperationRevoke)).To(Equal(1))
	})

	It("two credentials of two shards that name one Secret: the first one keeps it", func() {
		named := func(c *v1alpha1.SpacesCredential) { c.Spec.SecretName = "token" }
		w.apply(clientInput(), loginInput(), byPassword("bot", of("a"), named), byPassword("bat", of("b"), named))
		a.reconcile("bot")
		b.reconcile("bat")
		w.expectCondition("bot", v1alpha1.ConditionReady, "True")
		w.expectCondition("bat", v1alpha1.ConditionReady, "False", v1alpha1.ReasonSecretConflict)
	})

	It("an answer of a namespace that is left is saved before, and nothing else is done there", func() {
		isServed := true
		o := w.operator()
		o.Serves = func(string) bool { return isServed }
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		w.step(o.reconcile("bot").RequeueAfter)
		o.on(writeState, plannedFault{}, plannedFault{before: errRefused}, plannedFault{before: errRefused})
		o.failsToSave("bot")
		isServed = false
		result, err := o.Reconcile(w.ctx, ctrl.Request{NamespacedName: w.key("bot")})
		Expect(err).To(MatchError(ContainSubstring("kept in memory")), "it is tried again until it is saved")
		Expect(result.RequeueAfter).To(BeZero())
		hears(o, "bot")
		Expect(w.document("bot").Grant().Rotations).To(BeEquivalentTo(1))
		w.delete(w.credential("bot"))
		hears(o, "bot")
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())

		isServed = true // as another process may find it
		o.settle("bot", time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		Expect(w.calls(fakespaces.OperationRevoke)).To(Equal(1))
		w.expectNothingSentAgain()
	})
})
