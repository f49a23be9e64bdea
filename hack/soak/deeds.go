package main

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// shortestPause and longestPause stand between two deeds.
	shortestPause = 300 * time.Millisecond
	longestPause  = 2500 * time.Millisecond
	// outagePause lets everything come back between two outages.
	outagePause = 40 * time.Second
)

// deed is something that chance does. It says what it did; nothing where there was
// nothing to do it to.
type deed struct {
	weight int
	do     func(context.Context) (said string, err error)
}

// later is the second half of a deed.
type later struct {
	at time.Time
	do func(context.Context) (said string, err error)
}

// deeds are done one at a time, in an order that the seed decides.
type deeds struct {
	*soak
	done     atomic.Int64
	pending  []later
	outageTo time.Time
}

func (d *deeds) all() []deed {
	return []deed{
		{3, d.kill}, {3, d.terminate}, {3, d.freeze},
		{1, d.shortOutage}, {1, d.longOutage},
		{4, d.deletePublished}, {4, d.editPublished},
		{3, d.emergencyStop}, {3, d.changePassword}, {3, d.mistypePassword},
		{3, d.newSeed}, {3, d.newCode},
		{4, d.create}, {4, d.deleteCredential}, {1, d.deleteNamespace},
		{4, d.requestRenewal}, {3, d.requestRevocation}, {3, d.suspend},
	}
}

// run does deeds until ctx ends.
func (d *deeds) run(ctx context.Context) {
	all := d.all()
	var lots []int
	for i, one := range all {
		lots = append(lots, slices.Repeat([]int{i}, one.weight)...)
	}
	for wait(ctx, d.between(shortestPause, longestPause)) {
		d.endWhatIsDue(ctx, time.Now())
		d.tell(all[lots[d.chance.IntN(len(lots))]].do(ctx))
	}
}

// finish ends whatever was begun.
func (d *deeds) finish(ctx context.Context) {
	d.endWhatIsDue(ctx, time.Now().Add(time.Hour))
}

func (d *deeds) endWhatIsDue(ctx context.Context, now time.Time) {
	for i := 0; i < len(d.pending); i++ {
		if due := d.pending[i]; !due.at.After(now) {
			d.pending = slices.Delete(d.pending, i, i+1)
			i--
			d.tell(due.do(ctx))
		}
	}
}

// tell prints and counts a deed. One that met a namespace or an object on its way out is
// told, and proves nothing.
func (d *deeds) tell(said string, err error) {
	switch {
	case said == "":
	case err != nil:
		d.say("%s: in vain: %v", said, err)
	default:
		d.done.Add(1)
		d.say("%s", said)
	}
}

func (d *deeds) between(from, to time.Duration) time.Duration {
	return from + time.Duration(d.chance.Int64N(int64(to-from)))
}

func (d *deeds) after(pause time.Duration, do func(context.Context) (string, error)) {
	d.pending = append(d.pending, later{at: time.Now().Add(pause), do: do})
}

func (d *deeds) kill(context.Context) (string, error) {
	who, _ := d.processes.signal(d.chance.IntN(operators), syscall.SIGKILL)
	return prefixed("killed ", who), nil
}

func (d *deeds) terminate(context.Context) (string, error) {
	who, _ := d.processes.signal(d.chance.IntN(operators), syscall.SIGTERM)
	return prefixed("asked to end: ", who), nil
}

func (d *deeds) freeze(context.Context) (string, error) {
	number, length := d.chance.IntN(operators), d.between(5*time.Second, 40*time.Second)
	who, frozen := d.processes.signal(number, syscall.SIGSTOP)
	if frozen == nil {
		return "", nil
	}
	d.after(length, func(context.Context) (string, error) {
		d.processes.thaw(frozen)
		return fmt.Sprintf("let operator %d go on", number+1), nil
	})
	return fmt.Sprintf("froze for %s: %s", length.Round(time.Second), who), nil
}

func prefixed(prefix, what string) string {
	if what == "" {
		return ""
	}
	return prefix + what
}

func (d *deeds) shortOutage(context.Context) (string, error) {
	return d.outage(d.between(3*time.Second, 15*time.Second))
}

func (d *deeds) longOutage(context.Context) (string, error) {
	return d.outage(d.between(tokenLifetime, 2*tokenLifetime))
}

func (d *deeds) outage(length time.Duration) (string, error) {
	if time.Since(d.outageTo) < outagePause {
		return "", nil
	}
	d.outageTo = time.Now().Add(length)
	d.service.leave(true)
	d.after(length, func(context.Context) (string, error) {
		d.service.leave(false)
		return "the service is back", nil
	})
	return fmt.Sprintf("the service is down for %s", length.Round(time.Second)), nil
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

func (d *deeds) emergencyStop(ctx context.Context) (string, error) {
	return d.to(anyone, func(r *resident) (string, error) {
		d.hurt(r)
		return fmt.Sprintf("deleted the state Secret of %s (%s)", r, r.grant), d.cluster.Delete(ctx, r.secret(r.name+v1alpha1.GrantSecretSuffix))
	})
}

// changePassword changes it at the service first, as happens, and later back again.
func (d *deeds) changePassword(context.Context) (string, error) {
	return d.to(ofGrant(v1alpha1.GrantTypePassword), func(r *resident) (string, error) {
		before, after := r.password, fmt.Sprintf("another-password-%d-%s", d.chance.Uint32(), r.name)
		d.population.hold(r)
		d.service.SetPassword(r.user, after)
		d.after(d.between(time.Second, 20*time.Second), func(ctx context.Context) (string, error) {
			return fmt.Sprintf("put the new password of %s into its Secret", r), d.putPassword(ctx, r, after)
		})
		back := d.between(25*time.Second, 60*time.Second)
		d.after(back, func(ctx context.Context) (string, error) {
			d.service.SetPassword(r.user, before)
			d.population.release(r)
			return fmt.Sprintf("changed the password of %s back", r), d.putPassword(ctx, r, before)
		})
		return fmt.Sprintf("changed the password of %s at the service", r), nil
	})
}

// mistypePassword puts a wrong password into the Secret, and later the right one.
func (d *deeds) mistypePassword(ctx context.Context) (string, error) {
	return d.to(ofGrant(v1alpha1.GrantTypePassword), func(r *resident) (string, error) {
		d.population.hold(r)
		d.after(d.between(3*time.Second, 45*time.Second), func(ctx context.Context) (string, error) {
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
		d.population.note(func() { r.left, r.hurt = true, time.Now() })
		return fmt.Sprintf("deleted %s (%s)", r, r.grant), d.cluster.Delete(ctx, r.object())
	})
}

func (d *deeds) deleteNamespace(ctx context.Context) (string, error) {
	home := d.population.home(d.chance)
	if home == "" {
		return "", nil
	}
	d.population.abandon(home)
	return fmt.Sprintf("deleted the namespace %s", home), d.cluster.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}})
}

func (d *deeds) requestRenewal(ctx context.Context) (string, error) {
	return d.to(anyone, func(r *resident) (string, error) {
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
		d.after(d.between(5*time.Second, 50*time.Second), func(ctx context.Context) (string, error) {
			d.population.release(r)
			if d.population.gone(r) {
				return "", nil
			}
			return fmt.Sprintf("resumed %s", r), d.cluster.change(ctx, r.object(), map[string]any{"spec": map[string]any{"suspend": false}})
		})
		return fmt.Sprintf("suspended %s", r), d.cluster.change(ctx, r.object(), map[string]any{"spec": map[string]any{"suspend": true}})
	})
}
