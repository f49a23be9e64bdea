package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// The credentials that the demo does something to.
const (
	mistyped  = "mistyped"   // its login is wrong until it is corrected
	onRequest = "on-request" // is asked for a new token again and again
	comesBack = "comes-back" // its published Secret is deleted again and again
)

// comeBackLimit is far above what it takes to publish a Secret again.
const comeBackLimit = 15 * time.Second

// deed is something that a person could do.
type deed struct {
	first time.Duration // after the operator is ready
	every time.Duration // 0 means until it was done once
	// do does it, and says what it did; nothing where there was nothing to do yet.
	do func(context.Context) (said string, err error)
}

// deeds are what the demo does while it is watched, so that there is more to see
// than renewals.
type deeds struct {
	cluster client.Client
	samples *samples
	service *testbed.Service

	mutex sync.Mutex
	said  string
	at    time.Time
}

func (d *deeds) all() []deed {
	return []deed{
		{3 * time.Second, 0, d.signIn},
		{6 * time.Second, 15 * time.Second, d.request},
		{10 * time.Second, 0, d.correct},
		{13 * time.Second, 15 * time.Second, d.remove},
	}
}

// run does them in their time until ctx ends. It fails with the first that fails.
func (d *deeds) run(ctx context.Context) error {
	planned, began := d.all(), time.Now()
	tick := time.NewTicker(refreshInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for i := range planned {
			next := &planned[i]
			if next.do == nil || time.Since(began) < next.first {
				continue
			}
			said, err := next.do(ctx)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return fmt.Errorf("what the demo does to the credentials: %w", err)
			}
			if said != "" {
				d.say(said)
			}
			next.first += next.every
			if next.every == 0 && said != "" {
				next.do = nil
			}
		}
	}
}

func (d *deeds) say(what string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.said, d.at = what, time.Now()
}

// last is what was done last, and when; empty before the first.
func (d *deeds) last() (what string, at time.Time) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.said, d.at
}

// signIn signs a person in for the credential that waits for one, as kubectl spaces
// login does.
func (d *deeds) signIn(ctx context.Context) (said string, err error) {
	for _, sample := range d.samples.credentials {
		if sample.Spec.GrantType != v1alpha1.GrantTypeAuthorizationCode {
			continue
		}
		credential := &v1alpha1.SpacesCredential{}
		if err := d.cluster.Get(ctx, types.NamespacedName{Namespace: namespace, Name: sample.Name}, credential); err != nil {
			return "", client.IgnoreNotFound(err)
		}
		if credential.Status.ClientID == "" || credential.Status.AuthorizationEndpoint == "" {
			return "", nil // the operator has not looked at it yet
		}
		code, err := d.service.SignIn(person, credential)
		if err != nil {
			return "", err
		}
		if err := d.cluster.Create(ctx, code); err != nil {
			return "", err
		}
		said = "signed in for " + credential.Name + ", like a person with a browser"
	}
	return said, nil
}

// request asks for a new token; the time of day makes each value a new one.
func (d *deeds) request(ctx context.Context) (said string, err error) {
	credential := &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: onRequest}}
	return "asked " + onRequest + " for a new token, by annotation",
		d.patch(ctx, credential, map[string]any{"metadata": map[string]any{"annotations": map[string]string{
			v1alpha1.AnnotationRenewRequestedAt: time.Now().Format(time.RFC3339Nano),
		}}})
}

// correct puts the password that the service knows into the login.
func (d *deeds) correct(ctx context.Context) (said string, err error) {
	login := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: mistyped + "-login"}}
	return "corrected the password of " + mistyped,
		d.patch(ctx, login, map[string]any{"stringData": map[string]string{"password": d.samples.rightPassword}})
}

func (d *deeds) patch(ctx context.Context, object client.Object, change map[string]any) error {
	content, err := json.Marshal(change)
	if err != nil {
		return err
	}
	return d.cluster.Patch(ctx, object, client.RawPatch(types.MergePatchType, content))
}

// remove deletes a published Secret and waits until it is back.
func (d *deeds) remove(ctx context.Context) (said string, err error) {
	name := types.NamespacedName{Namespace: namespace, Name: comesBack}
	gone := &corev1.Secret{}
	if err := d.cluster.Get(ctx, name, gone); err != nil {
		return "", client.IgnoreNotFound(err) // not published yet
	}
	if err := d.cluster.Delete(ctx, gone); err != nil {
		return "", client.IgnoreNotFound(err)
	}
	began := time.Now()
	for time.Since(began) < comeBackLimit {
		back := &corev1.Secret{}
		err := d.cluster.Get(ctx, name, back)
		if err == nil && back.UID != gone.UID {
			return fmt.Sprintf("deleted the Secret of %s; it was back in %.1fs", comesBack, time.Since(began).Seconds()), nil
		}
		if client.IgnoreNotFound(err) != nil {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return "", fmt.Errorf("the Secret %s was deleted and did not come back within %s", comesBack, comeBackLimit)
}
