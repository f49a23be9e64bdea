package controllers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/transfer"
)

// newImportKey is a key as `kubectl spaces import --new-key` makes it.
func newImportKey() transfer.PrivateKey {
	GinkgoHelper()
	key, err := transfer.NewKey()
	Expect(err).NotTo(HaveOccurred())
	return key
}

// askExport asks for an export, as a person does. lost is the ID of a key, or empty.
func (w *world) askExport(request string, to transfer.PublicKey, lost string) {
	GinkgoHelper()
	credential := w.credential("bot")
	if credential.Annotations == nil {
		credential.Annotations = map[string]string{}
	}
	credential.Annotations[v1alpha1.AnnotationExportRequestedAt] = request
	credential.Annotations[v1alpha1.AnnotationExportTo] = to.String()
	delete(credential.Annotations, v1alpha1.AnnotationExportLost)
	if lost != "" {
		credential.Annotations[v1alpha1.AnnotationExportLost] = lost
	}
	Expect(admin.Update(w.ctx, credential)).To(Succeed())
}

// envelope is the answer to a request for an export, or nil.
func (w *world) envelope() *transfer.Envelope {
	GinkgoHelper()
	secret := w.secret("bot-export")
	if secret == nil || secret.Labels[v1alpha1.LabelSecret] != v1alpha1.SecretExport {
		return nil
	}
	Expect(secret.Type).To(BeEquivalentTo(v1alpha1.SecretTypeGrantExport))
	envelope, err := transfer.ReadEnvelope(secret.Data[v1alpha1.ExportKey])
	Expect(err).NotTo(HaveOccurred())
	return &envelope
}

// exported opens the answer.
func (w *world) exported(with transfer.PrivateKey) transfer.Grant {
	GinkgoHelper()
	envelope := w.envelope()
	Expect(envelope).NotTo(BeNil(), "there is no answer")
	grant, err := envelope.Open(with)
	Expect(err).NotTo(HaveOccurred())
	return grant
}

// exportOf exports the grant of a credential that is Ready, and returns it with its key.
func (w *world) exportOf(o *operator) (transfer.Grant, transfer.PrivateKey) {
	GinkgoHelper()
	key := newImportKey()
	w.askExport("first", key.Public(), "")
	o.reconcile("bot")
	w.expectExported(key)
	return w.exported(key), key
}

// expectExported says that the grant counts as given away, and that status says so.
func (w *world) expectExported(to transfer.PrivateKey) {
	GinkgoHelper()
	w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionFalse, v1alpha1.ReasonExported)
	w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonExported)
	e := w.document("bot").Exported()
	Expect(e).NotTo(BeNil(), "the grant is not marked")
	Expect(e.Key).To(Equal(to.Public().ID()))
}

// expectNotExported says that nothing was given away, and why.
func (w *world) expectNotExported(note string) {
	GinkgoHelper()
	Expect(w.envelope()).To(BeNil(), "something was given away")
	if w.stateExists("bot") {
		Expect(w.document("bot").Exported()).To(BeNil(), "the grant is marked")
	}
	Expect(w.said(v1alpha1.ConditionGrantValid)).To(ContainSubstring(note))
}

// said is the message of a condition.
func (w *world) said(kind string) string {
	GinkgoHelper()
	for _, c := range w.credential("bot").Status.Conditions {
		if c.Type == kind {
			return c.Message
		}
	}
	Fail("no condition " + kind)
	return ""
}

// elsewhere is another cluster: a namespace with keys of its own, at the same service.
func (w *world) elsewhere() *world {
	GinkgoHelper()
	other := newWorldAt(w.clock)
	other.server.Close()
	other.spaces, other.server = w.spaces, w.server
	other.ownKeys()
	return other
}

// putImport puts a grant in for a credential, as `kubectl spaces import` does.
func (w *world) putImport(grant transfer.Grant) {
	GinkgoHelper()
	content, err := grant.Reveal()
	Expect(err).NotTo(HaveOccurred())
	w.apply(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bot-import", Annotations: map[string]string{
			v1alpha1.AnnotationCredential: "bot", v1alpha1.AnnotationCredentialUID: string(w.credential("bot").UID),
		}},
		Type: v1alpha1.SecretTypeGrantImport, Data: map[string][]byte{v1alpha1.ImportKey: content},
	})
}

// takes has a credential of another cluster take a grant over: nobody signs in there.
func (w *world) takes(credential *v1alpha1.SpacesCredential, grant transfer.Grant) *operator {
	GinkgoHelper()
	w.apply(credential)
	w.putImport(grant)
	o := w.operator()
	o.settle("bot", 10*time.Second)
	w.expectReady("bot")
	Expect(w.credential("bot").Status.Grant.ImportID).To(Equal(grant.ID))
	return o
}

// expectMoves says that what was exported can be imported by another cluster, and that it lives there.
func (w *world) expectMoves(key transfer.PrivateKey) {
	GinkgoHelper()
	grant := w.exported(key)
	other := w.elsewhere()
	other.apply(clientInput())
	other.takes(bySeed("bot"), grant).settle("bot", 2*lifetime)
	other.expectReady("bot")
	w.expectNothingSentAgain()
}
