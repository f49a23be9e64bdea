package controllers

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/log"
)

// rejectedFingerprint is that of what is published, where a workload says by annotation that it was refused
// with that very token; else it is empty.
func (p published) rejectedFingerprint() string {
	if p.whose != ours || p.rejected != p.fingerprint {
		return ""
	}
	return p.fingerprint
}

// tellRejection counts a renewal that a workload has brought about.
func (r *Reconciler) tellRejection(ctx context.Context, s *scope, c call) {
	if !c.spend.IsForRejection() {
		return
	}
	r.Metrics.Rejected(c.client.Environment().Name)
	log.FromContext(ctx).Info("A workload was refused with the published token, which is renewed", "spacescredential", s.key.String(), "fingerprint", s.published.fingerprint)
}
