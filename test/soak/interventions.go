package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// interventions are the deeds of people, in the cluster and at the service.
func (d *deeds) interventions() []deed {
	move := 0
	if d.shards {
		move = 8
	}
	return []deed{
		{"moved to another shard", atCluster, move, d.move},
		{"published Secret deleted", atCluster, 4, d.deletePublished},
		{"published Secret edited", atCluster, 4, d.editPublished},
		{"published Secret replaced by somebody's", atCluster, 2, d.replacePublished},
		{"state Secret deleted", atCluster, 3, d.emergencyStop},
		{"login deleted", atCluster, 2, d.deleteLogin},
		{"password changed", atCluster, 3, d.changePassword},
		{"password mistyped", atCluster, 3, d.mistypePassword},
		{"seed replaced", atCluster, 3, d.newSeed},
		{"code replaced", atCluster, 3, d.newCode},
		{"credential created", atCluster, 4, d.create},
		{"credential deleted", atCluster, 4, d.deleteCredential},
		{"namespace deleted", atCluster, 1, d.deleteNamespace},
		{"renewal requested", atCluster, 4, d.requestRenewal},
		{"revocation requested", atCluster, 3, d.requestRevocation},
		{"credential suspended", atCluster, 3, d.suspend},
	}
}

// to does something to a resident by chance.
func (d *deeds) to(wanted func(*resident) bool, do func(*resident) (string, error)) (string, error) {
	r := d.population.pick(d.chance, wanted)
	if r == nil {
		return "", nil
	}
	return do(r)
}

func anyone(*resident) bool { return true }

func ofGrant(grant v1alpha1.GrantType) func(*resident) bool {
	return func(r *resident) bool { return r.grant == grant }
}

// hurt remembers that a deed may end a token before its time.
func (d *deeds) hurt(r *resident) { d.population.note(func() { r.hurt = time.Now() }) }

// move hands a resident over to the other operator.
func (d *deeds) move(ctx context.Context) (string, error) {
	return d.to(anyone, func(r *resident) (string, error) {
		shard := fmt.Sprint(d.chance.IntN(operators))
		return fmt.Sprintf("moved %s to shard %s", r, shard), d.cluster.change(ctx, r.object(),
			map[string]any{"metadata": map[string]any{"labels": map[string]string{v1alpha1.LabelShard: shard}}})
	})
}

func (d *deeds) deletePublished(ctx context.Context) (string, error) {
	return d.to(anyone, func(r *resident) (string, error) {
		return fmt.Sprintf("deleted the published Secret of %s", r), d.cluster.Delete(ctx, r.secret(r.secretName()))
	})
}

func (d *deeds) editPublished(ctx context.Context) (string, error) {
	return d.to(anyone, func(r *resident) (string, error) {
		d.hurt(r)
		return fmt.Sprintf("edited the published Secret of %s", r), d.cluster.change(ctx, r.secret(r.secretName()),
			map[string]any{"stringData": map[string]string{v1alpha1.KeyAccessToken: "edited by somebody"}})
	})
}

// replacePublished puts somebody's own Secret where the published one was, and later takes
// it away again, if nobody has touched it.
func (d *deeds) replacePublished(ctx context.Context) (string, error) {
	return d.to(anyone, func(r *resident) (string, error) {
		said := fmt.Sprintf("replaced the published Secret of %s by somebody's own", r)
		d.hurt(r)
		if err := d.cluster.Delete(ctx, r.secret(r.secretName())); err != nil {
			return said, err
		}
		theirs := r.secret(r.secretName())
		theirs.StringData = map[string]string{v1alpha1.KeyAccessToken: "somebody's own"}
		if err := d.cluster.Create(ctx, theirs); err != nil {
			return said, err // the operator was faster
		}
		d.population.hold(r)
		d.after(d.between(5*time.Second, 40*time.Second), "published Secret replaced, and free again", atCluster, func(ctx context.Context) (string, error) {
			d.population.release(r)
			if d.population.gone(r) {
				return "", nil
			}
			return d.takeAway(ctx, theirs)
		})
		return said, nil
	})
}

// takeAway deletes somebody's Secret. That it is not as it was created is a finding.
func (d *deeds) takeAway(ctx context.Context, theirs *corev1.Secret) (string, error) {
	said := fmt.Sprintf("took somebody's Secret %s/%s away", theirs.Namespace, theirs.Name)
	now := &corev1.Secret{}
	if err := client.IgnoreNotFound(d.cluster.Get(ctx, client.ObjectKeyFromObject(theirs), now)); err != nil {
		return said, err
	}
	if now.UID != theirs.UID || now.ResourceVersion != theirs.ResourceVersion {
		d.findings.foreignChanged++
		return fmt.Sprintf("somebody's Secret %s/%s was changed: created as %s %s, now %s %s", theirs.Namespace, theirs.Name,
			theirs.UID, theirs.ResourceVersion, now.UID, now.ResourceVersion), nil
	}
	return said, d.cluster.Delete(ctx, now)
}

func (d *deeds) emergencyStop(ctx context.Context) (string, error) {
	return d.to(anyone, func(r *resident) (string, error) {
		d.hurt(r)
		return fmt.Sprintf("deleted the state Secret of %s (%s)", r, r.grant), d.cluster.Delete(ctx, r.secret(r.name+v1alpha1.GrantSecretSuffix))
	})
}

// deleteLogin deletes the Secret with the password, and later puts it back.
func (d *deeds) deleteLogin(ctx context.Context) (string, error) {
	return d.to(ofGrant(v1alpha1.GrantTypePassword), func(r *resident) (string, error) {
		d.population.hold(r)
		d.after(d.between(3*time.Second, 45*time.Second), "login deleted, and put back", atCluster, func(ctx context.Context) (string, error) {
			d.population.release(r)
			if d.population.gone(r) {
				return "", nil
			}
			return fmt.Sprintf("put the login of %s back", r), d.cluster.put(ctx, r.login())
		})
		return fmt.Sprintf("deleted the login of %s", r), d.cluster.Delete(ctx, r.login())
	})
}

// changePassword changes it at the service first, as happens, and later back again.
func (d *deeds) changePassword(context.Context) (string, error) {
	return d.to(ofGrant(v1alpha1.GrantTypePassword), func(r *resident) (string, error) {
		before, after := r.password, fmt.Sprintf("another-password-%d-%s", d.chance.Uint32(), r.name)
		d.population.hold(r)
		d.service.SetPassword(r.user, after)
		d.after(d.between(time.Second, 20*time.Second), "password changed, and told", atCluster, func(ctx context.Context) (string, error) {
			return fmt.Sprintf("put the new password of %s into its Secret", r), d.putPassword(ctx, r, after)
		})
		back := d.between(25*time.Second, 60*time.Second)
		d.after(back, "password changed, and changed back", atCluster, func(ctx context.Context) (string, error) {
			d.service.SetPassword(r.user, before)
			d.population.release(r)
			err := d.putPassword(ctx, r, before)
			if err == nil && !d.population.gone(r) {
				// An operator that never saw the other one has had this one refused, and does not
				// send it again until it is asked to.
				r.asked = append(r.asked, time.Now())
				err = d.annotate(ctx, r, v1alpha1.AnnotationRenewRequestedAt)
			}
			return fmt.Sprintf("changed the password of %s back, and asked for a renewal", r), err
		})
		return fmt.Sprintf("changed the password of %s at the service", r), nil
	})
}

// mistypePassword puts a wrong password into the Secret, and later the right one.
func (d *deeds) mistypePassword(ctx context.Context) (string, error) {
	return d.to(ofGrant(v1alpha1.GrantTypePassword), func(r *resident) (string, error) {
		d.population.hold(r)
		d.after(d.between(3*time.Second, 45*time.Second), "password mistyped, and corrected", atCluster, func(ctx context.Context) (string, error) {
			d.population.release(r)
			return fmt.Sprintf("corrected the password of %s", r), d.putPassword(ctx, r, r.password)
		})
		return fmt.Sprintf("mistyped the password of %s", r), d.putPassword(ctx, r, fmt.Sprintf("wrong-password-%d-%s", d.chance.Uint32(), r.name))
	})
}

func (d *deeds) putPassword(ctx context.Context, r *resident, password string) error {
	if d.population.gone(r) {
		return nil
	}
	return d.cluster.change(ctx, r.secret(r.name+"-login"), map[string]any{"stringData": map[string]string{"password": password}})
}

func (d *deeds) newSeed(ctx context.Context) (string, error) {
	return d.to(ofGrant(v1alpha1.GrantTypeRefreshToken), func(r *resident) (string, error) {
		return fmt.Sprintf("gave %s a new seed", r), signInAnew(ctx, d.cluster, d.service, r, nil)
	})
}

func (d *deeds) newCode(ctx context.Context) (string, error) {
	return d.to(ofGrant(v1alpha1.GrantTypeAuthorizationCode), func(r *resident) (string, error) {
		credential := r.object()
		if err := d.cluster.Get(ctx, keyOf(r), credential); err != nil {
			return fmt.Sprintf("a new code for %s", r), err
		}
		return fmt.Sprintf("gave %s a new code", r), signInAnew(ctx, d.cluster, d.service, r, credential)
	})
}

func (d *deeds) create(ctx context.Context) (string, error) {
	home := d.population.home(d.chance)
	if home == "" {
		return "", nil
	}
	r, err := d.population.create(ctx, home, d.population.unused())
	return fmt.Sprintf("created %s (%s)", r, r.grant), err
}

func (d *deeds) deleteCredential(ctx context.Context) (string, error) {
	return d.to(anyone, func(r *resident) (string, error) {
		d.hurt(r)
		err := d.cluster.Delete(ctx, r.object())
		d.population.note(func() { r.left = err == nil })
		return fmt.Sprintf("deleted %s (%s)", r, r.grant), err
	})
}

func (d *deeds) deleteNamespace(ctx context.Context) (string, error) {
	home := d.population.home(d.chance)
	if home == "" {
		return "", nil
	}
	err := d.cluster.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}})
	if err == nil {
		d.population.abandon(home)
	}
	return fmt.Sprintf("deleted the namespace %s", home), err
}

func (d *deeds) requestRenewal(ctx context.Context) (string, error) {
	return d.to(anyone, func(r *resident) (string, error) {
		r.asked = append(r.asked, time.Now())
		return fmt.Sprintf("asked %s for a renewal", r), d.annotate(ctx, r, v1alpha1.AnnotationRenewRequestedAt)
	})
}

func (d *deeds) requestRevocation(ctx context.Context) (string, error) {
	return d.to(anyone, func(r *resident) (string, error) {
		d.hurt(r)
		return fmt.Sprintf("asked %s for a revocation (%s)", r, r.grant), d.annotate(ctx, r, v1alpha1.AnnotationRevokeRequestedAt)
	})
}

// annotate sets a request; the time of day makes each value a new one.
func (d *deeds) annotate(ctx context.Context, r *resident, name string) error {
	return d.cluster.change(ctx, r.object(), map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{name: time.Now().Format(time.RFC3339Nano)}}})
}

func (d *deeds) suspend(ctx context.Context) (string, error) {
	return d.to(anyone, func(r *resident) (string, error) {
		d.population.hold(r)
		d.after(d.between(5*time.Second, 50*time.Second), "credential suspended, and resumed", atCluster, func(ctx context.Context) (string, error) {
			d.population.release(r)
			if d.population.gone(r) {
				return "", nil
			}
			return fmt.Sprintf("resumed %s", r), d.cluster.change(ctx, r.object(), map[string]any{"spec": map[string]any{"suspend": false}})
		})
		return fmt.Sprintf("suspended %s", r), d.cluster.change(ctx, r.object(), map[string]any{"spec": map[string]any{"suspend": true}})
	})
}
