package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/watch"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// A wait goes on without a watch, and over an API server that is away for a while.
func TestAWaitLooksAgain(t *testing.T) {
	away := errors.New("the API server is away")
	var looks atomic.Int32
	for sentence, c := range map[string]struct {
		namespace string
		funcs     interceptor.Funcs
	}{
		"where nobody may watch": {"wait-unwatched", interceptor.Funcs{
			Watch: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) (watch.Interface, error) {
				looks.Add(1)
				return nil, away
			},
		}},
		"when the API server was away": {"wait-away", interceptor.Funcs{
			Get: func(ctx context.Context, inner client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
				if looks.Add(1) <= 2 {
					return away
				}
				return inner.Get(ctx, key, into, options...)
			},
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, clock := NewWithT(t), clocktesting.NewFakeClock(noon)
			looks.Store(0)
			object := create(t, credential(t, withPassword, newNamespace(t, c.namespace), published))
			connected := &cluster{WithWatch: interceptor.NewClient(admin, c.funcs), namespace: object.Namespace, clock: clock}
			ended := make(chan error, 1)
			go func() {
				_, err := connected.await(t.Context(), object.Name, time.Hour, func(*v1alpha1.SpacesCredential) (bool, error) {
					return looks.Load() >= 2, nil
				})
				ended <- err
			}()
			g.Eventually(func() bool {
				select {
				case err := <-ended:
					g.Expect(err).NotTo(HaveOccurred())
					return true
				default:
					if clock.HasWaiters() {
						clock.Step(lookAgain)
					}
					return false
				}
			}).WithTimeout(patience).Should(BeTrue())
		})
	}
}
