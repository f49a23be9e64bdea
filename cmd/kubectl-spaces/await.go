package main

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// lookAgain is how often a credential is looked at where a watch tells of nothing,
// because it was cut or because the person may not watch.
const lookAgain = 2 * time.Second

// errOver is the end of a wait that was in vain.
var errOver = errors.New("the time is over")

// await looks at a credential whenever it changes, until enough says so, the time is
// over (errOver) or ctx ends. It returns the credential as it was seen last.
func (c *cluster) await(ctx context.Context, name string, limit time.Duration,
	enough func(*v1alpha1.SpacesCredential) (bool, error)) (*v1alpha1.SpacesCredential, error) {
	deadline := c.clock.NewTimer(limit)
	defer deadline.Stop()
	var last *v1alpha1.SpacesCredential
	for {
		seen, err := c.credential(ctx, name)
		switch {
		case err == nil:
			last = seen
			if done, err := enough(seen); done || err != nil {
				return last, err
			}
		case isFinal(err):
			return last, err
		}
		if err := c.change(ctx, seen, deadline.C()); err != nil {
			return last, err
		}
	}
}

// change returns when there may be something new to see. Nothing was seen where the
// API server did not answer; it is then asked again after a while.
func (c *cluster) change(ctx context.Context, seen *v1alpha1.SpacesCredential, over <-chan time.Time) error {
	again := c.clock.NewTimer(lookAgain)
	defer again.Stop()
	var events <-chan watch.Event
	if seen != nil {
		if watching, err := c.watchOne(ctx, seen); err == nil {
			defer watching.Stop()
			events = watching.ResultChan()
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over:
			return errOver
		case <-again.C():
			return nil
		case event, open := <-events:
			if open && event.Type != watch.Error {
				return nil
			}
			events = nil // the next look begins another watch
		}
	}
}

// watchOne watches one credential from what was seen of it on.
func (c *cluster) watchOne(ctx context.Context, seen *v1alpha1.SpacesCredential) (watch.Interface, error) {
	return c.Watch(ctx, &v1alpha1.SpacesCredentialList{}, client.InNamespace(seen.Namespace),
		client.MatchingFields{"metadata.name": seen.Name},
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: seen.ResourceVersion}})
}
