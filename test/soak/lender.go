package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

const (
	// lentClientID is a client that the platform team holds and lends to the honest.
	lentClientID = "soak-lent-client"
	// lentClient is the name of the ClusterSpacesClient and of its Secret.
	lentClient = "corporate"
	// lentNamespace is where that Secret lies: an operator outside a cluster looks there.
	lentNamespace = "default"
	// originSeed is how a grant began that somebody brought along.
	originSeed = "seed"
	// honestLabel is on the namespaces that may use it.
	honestLabel = "soak.example.test/honest"
)

// lender is the platform team. Its client is lent while all else happens; it is deleted and made
// anew, its consent is withdrawn and given back, and its secret changes without anybody noticing.
type lender struct {
	cluster *cluster
	service *service
	// secrets counts those that the client has had.
	secrets int
	// busy tells that a deed with the client has not ended.
	busy bool
}

// secret is one of those that the client has had.
func (l *lender) secret(number int) string {
	return fmt.Sprintf("soak-lent-client-secret-%d-0123456789", number)
}

// settle registers the client with the service, and lends it to the honest.
func (l *lender) settle(ctx context.Context) error {
	l.service.SetClientSecret(lentClientID, l.secret(0))
	return errors.Join(
		l.cluster.Create(ctx, &corev1.Secret{ObjectMeta: in(lentNamespace, lentClient),
			StringData: map[string]string{"client_id": lentClientID, "client_secret": l.secret(0)}}),
		l.lend(ctx))
}

// lend creates the object by which the client is lent.
func (l *lender) lend(ctx context.Context) error {
	lent := &v1alpha1.ClusterSpacesClient{ObjectMeta: metav1.ObjectMeta{Name: lentClient}, Spec: v1alpha1.ClusterSpacesClientSpec{
		Environment:       environment,
		SecretRef:         v1alpha1.ClusterClientSecretReference{Name: lentClient, PreviousClientSecretKey: "previous_client_secret"},
		AllowedNamespaces: &v1alpha1.AllowedNamespaces{Selector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.SelectorValue{honestLabel: "true"}}},
		AllowedGrantTypes: []v1alpha1.GrantType{v1alpha1.GrantTypePassword, v1alpha1.GrantTypeRefreshToken, v1alpha1.GrantTypeAuthorizationCode},
	}}
	return client.IgnoreAlreadyExists(l.cluster.Create(ctx, lent))
}

func (l *lender) object() *v1alpha1.ClusterSpacesClient {
	return &v1alpha1.ClusterSpacesClient{ObjectMeta: metav1.ObjectMeta{Name: lentClient}}
}

// lending are the deeds of the platform team. One begins when the one before has ended.
func (d *deeds) lending() []deed {
	return []deed{
		{"lent client deleted", atCluster, 1, d.deleteLent},
		{"lent client's secret about to change", atCluster, 2, d.rotateLent},
		{"consent to lend withdrawn", atCluster, 2, d.withdrawConsent},
	}
}

// lendAgain has a deed with the lent client end some time later.
func (d *deeds) lendAgain(pause time.Duration, name string, do func(context.Context) (string, error)) {
	d.lender.busy = true
	d.after(pause, name, atCluster, func(ctx context.Context) (string, error) {
		d.lender.busy = false
		return do(ctx)
	})
}

// deleteLent deletes the client's object and makes it anew. Meanwhile nobody is renewed with it.
func (d *deeds) deleteLent(ctx context.Context) (string, error) {
	if d.lender.busy {
		return "", nil
	}
	err := d.cluster.Delete(ctx, d.lender.object())
	d.population.hurtBorrowers()
	d.lendAgain(d.between(time.Second, 30*time.Second), "lent client deleted, and made anew", func(ctx context.Context) (string, error) {
		d.population.hurtBorrowers()
		return "made the lent client anew", d.lender.lend(ctx)
	})
	return "deleted the lent client", err
}

// withdrawConsent lets nobody use the client, and after less than ten minutes whoever could before:
// tokens go on meanwhile, and only new grants wait.
func (d *deeds) withdrawConsent(ctx context.Context) (string, error) {
	if d.lender.busy {
		return "", nil
	}
	selecting := func(value string) map[string]any {
		return map[string]any{"spec": map[string]any{"allowedNamespaces": map[string]any{"selector": map[string]any{"matchLabels": map[string]string{honestLabel: value}}}}}
	}
	err := d.cluster.change(ctx, d.lender.object(), selecting("nobody"))
	d.lendAgain(d.between(time.Second, 40*time.Second), "consent to lend withdrawn, and given back", func(ctx context.Context) (string, error) {
		return "gave the consent to lend back", d.cluster.change(ctx, d.lender.object(), selecting("true"))
	})
	return "withdrew the consent to lend", err
}

// rotateLent announces a secret beside the old one, has the service change to it, and takes the old
// one away: no token may show it.
func (d *deeds) rotateLent(ctx context.Context) (string, error) {
	if d.lender.busy {
		return "", nil
	}
	before, after := d.lender.secret(d.lender.secrets), d.lender.secret(d.lender.secrets+1)
	put := func(ctx context.Context, data map[string]any) error {
		return d.cluster.change(ctx, &corev1.Secret{ObjectMeta: in(lentNamespace, lentClient)}, map[string]any{"stringData": data})
	}
	if err := put(ctx, map[string]any{"client_secret": after, "previous_client_secret": before}); err != nil {
		return "announced another secret of the lent client", err
	}
	d.lender.secrets++
	d.lendAgain(d.between(5*time.Second, 20*time.Second), "lent client's secret changed", func(context.Context) (string, error) {
		d.service.SetClientSecret(lentClientID, after)
		d.lendAgain(d.between(20*time.Second, 40*time.Second), "lent client's old secret taken away", func(ctx context.Context) (string, error) {
			return "took the old secret of the lent client away", put(ctx, map[string]any{"client_secret": after, "previous_client_secret": after})
		})
		return "changed the secret of the lent client at the service", nil
	})
	return "announced another secret of the lent client", nil
}

// borrowers tells how many grants hostile tenants got with the client that is not lent to them. A
// seed that they brought along counts once it was renewed.
func borrowers(grants []fakespaces.GrantRecord) (count int) {
	for _, grant := range grants {
		if grant.Client == lentClientID && isHostile(grant.User) && (grant.Origin != originSeed || grant.Refreshes > 0) {
			count++
		}
	}
	return count
}
