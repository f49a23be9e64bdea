package main

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// Callers by whom hostile tenants bring the service to answer so as to stop all who call it.
const (
	strange       = "strange"
	strangeClient = "mallory-client"
	throttled     = "throttled"
	throttledUser = hostileUser + "throttled@example.test"
	strangeGuest  = "mallory"
)

// harm is what the service answers them: it fails for a client it does not know, as some do, and
// asks for patience with one user.
func harm(call fakespaces.Call) fakespaces.Fault {
	switch {
	case call.ClientID == strangeClient:
		return fakespaces.FaultErrorIn200
	case call.Username == throttledUser:
		return fakespaces.FaultThrottledSeconds
	case call.Operation == fakespaces.OperationGuest && call.Form.Get("displayname") == strangeGuest:
		return fakespaces.FaultServerError500
	}
	return fakespaces.NoFault
}

func (h *hostiles) callStrangely(ctx context.Context, home, name string) error {
	credential := credentialOf(home, strange+"-"+name)
	credential.Spec.ClientSecretRef.Name = strange
	return h.cluster.Create(ctx, credential)
}

func (h *hostiles) callThrottled(ctx context.Context, home, name string) error {
	credential := credentialOf(home, throttled+"-"+name)
	credential.Spec.Password.SecretRef.Name = throttled
	return h.cluster.Create(ctx, credential)
}

func (h *hostiles) callAsGuests(ctx context.Context, home, name string) error {
	return h.cluster.Create(ctx, &v1alpha1.SpacesCredential{ObjectMeta: in(home, "guest-"+name), Spec: v1alpha1.SpacesCredentialSpec{
		Environment: environment, GrantType: v1alpha1.GrantTypeAnonymous, Anonymous: &v1alpha1.AnonymousGrant{DisplayName: strangeGuest},
	}})
}

// askForAll asks for a renewal of each, with a check, and for no patience at their end.
func (h *hostiles) askForAll(ctx context.Context, home, _ string) error {
	var all v1alpha1.SpacesCredentialList
	if err := h.cluster.List(ctx, &all, client.InNamespace(home)); err != nil {
		return err
	}
	asked := map[string]any{
		"metadata": map[string]any{"annotations": map[string]string{v1alpha1.AnnotationRenewRequestedAt: fmt.Sprint(h.chance.Uint64())}},
		"spec":     map[string]any{"verification": []v1alpha1.Verification{v1alpha1.VerificationUserProfile}, "revocation": v1alpha1.Revocation{DeadlineSeconds: ptr.To[int32](0)}},
	}
	var failed error
	for i := range all.Items {
		failed = errors.Join(failed, h.cluster.change(ctx, &all.Items[i], asked))
	}
	return failed
}

// deleteAll deletes every credential of a namespace at once.
func (h *hostiles) deleteAll(ctx context.Context, home, _ string) error {
	return h.cluster.DeleteAllOf(ctx, &v1alpha1.SpacesCredential{}, client.InNamespace(home))
}
