package monitoring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// The inputs that all credentials share, and one that the service refuses.
const (
	clientName = "client"
	loginName  = "login"
	wrongLogin = "wrong-login"
	// movedClient is the input of one that changes to the client nextClient.
	movedClient = "moved-client"
	nextClient  = "next-client"
	username    = "bot@example.test"
	password    = "monitoring-password"
)

// The environments: one that is well, one that asks for patience, one whose host goes, and one that
// is slow and has another time.
const (
	well      = "production"
	impatient = "staging"
	fragile   = "partner"
	far       = "overseas"
)

const (
	// lifetime is a token's; an hour, once it is stretched. shortLifetime is half of that.
	lifetime      = time.Minute
	shortLifetime = 30 * time.Second
	// slowness is more than ten seconds, and less than timeoutSeconds.
	slowness = 10500 * time.Millisecond
	// skew is by how much the clock of one service is ahead.
	skew = 90 * time.Second
	// retryAfter is what the impatient service asks for.
	retryAfter = 20 * time.Second
)

// troubled is a cluster with two operators and with services that get into every trouble.
type troubled struct {
	t          *testing.T
	g          Gomega
	kubernetes client.Client
	kubeconfig string
	folder     string
	services   map[string]*fakespaces.Service
	// environments is the file that names them.
	environments string
	operators    map[string]*testbed.Operator
	addresses    map[string]string
	// elected names the operators that compete for the lease.
	elected []string
}

func newTroubled(t *testing.T) *troubled {
	t.Helper()
	c := &troubled{t: t, g: NewWithT(t), folder: t.TempDir(), services: map[string]*fakespaces.Service{}, operators: map[string]*testbed.Operator{}, addresses: map[string]string{}}
	plane, err := testbed.StartControlPlane(testbed.CRDs)
	c.g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { c.g.Expect(plane.Stop()).To(Succeed()) })
	c.kubernetes, err = testbed.NewClient(plane.Config)
	c.g.Expect(err).NotTo(HaveOccurred())
	c.kubeconfig, err = testbed.WriteKubeconfig(c.folder, plane.Config)
	c.g.Expect(err).NotTo(HaveOccurred())
	c.g.Expect(testbed.Build(t.Context(), filepath.Join(c.folder, "manager"), ".")).To(Succeed())
	c.startServices()
	for _, namespace := range []string{"team-a", "team-b", "team-c", "shelf", "closed"} {
		c.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		c.createInputs(namespace)
	}
	return c
}

// startServices starts one for each environment, and writes the environments file.
func (c *troubled) startServices() {
	c.t.Helper()
	var all []spacesauth.Environment
	for name, options := range map[string][]fakespaces.Option{
		well:      {fakespaces.WithTokenLifetime(lifetime), fakespaces.WithTokensEndAtRotation(true)},
		impatient: {fakespaces.WithTokenLifetime(shortLifetime), fakespaces.WithRetryAfter(retryAfter)},
		fragile:   {fakespaces.WithTokenLifetime(shortLifetime)},
		far:       {fakespaces.WithTokenLifetime(lifetime), fakespaces.WithNow(func() time.Time { return time.Now().Add(skew) })},
	} {
		spaces := fakespaces.New(append(options, fakespaces.WithClient(clientName, password), fakespaces.WithClient(nextClient, password), fakespaces.WithUser(username, password))...)
		if name == far {
			spaces.Intercept(func(call fakespaces.Call) fakespaces.Fault {
				select {
				case <-time.After(slowness):
				case <-call.Gone():
				}
				return fakespaces.NoFault
			})
		}
		server, err := testbed.Serve(spaces)
		c.g.Expect(err).NotTo(HaveOccurred())
		c.t.Cleanup(func() { c.g.Expect(server.Stop()).To(Succeed()) })
		c.services[name] = spaces
		all = append(all, spacesauth.Environment{Name: name, AccountsURL: server.URL, APIURL: server.URL})
	}
	var err error
	c.environments, err = testbed.WriteEnvironments(c.folder, all...)
	c.g.Expect(err).NotTo(HaveOccurred())
}

// startOperator starts an operator, which is scraped by its name from now on.
func (c *troubled) startOperator(name, kubeconfig string, arguments ...string) {
	c.t.Helper()
	free, err := testbed.FreeAddresses(1)
	c.g.Expect(err).NotTo(HaveOccurred())
	command := exec.Command(filepath.Join(c.folder, "manager"), append([]string{
		"--kubeconfig=" + kubeconfig, "--environments-file=" + c.environments, "--metrics-bind-address=" + free[0],
		"--metrics-secure=false", "--health-probe-bind-address=0",
	}, arguments...)...)
	operator, err := testbed.StartOperator(command, filepath.Join(c.folder, name+".log"))
	c.g.Expect(err).NotTo(HaveOccurred())
	c.operators[name], c.addresses[name] = operator, free[0]
	c.t.Cleanup(func() { _ = operator.Signal(syscall.SIGKILL); <-operator.Ended })
}

// startOperators starts two that compete for the lease, and one that is to serve a namespace that
// it may not read.
func (c *troubled) startOperators() {
	c.t.Helper()
	c.elected = []string{"10.0.0.1:8443", "10.0.0.2:8443"}
	for _, name := range c.elected {
		c.startOperator(name, c.kubeconfig)
	}
	content, err := clientcmd.LoadFromFile(c.kubeconfig)
	c.g.Expect(err).NotTo(HaveOccurred())
	for _, user := range content.AuthInfos {
		user.Impersonate = "narrow"
	}
	narrow := filepath.Join(c.folder, "narrow")
	c.g.Expect(clientcmd.WriteToFile(*content, narrow)).To(Succeed())
	c.bind("default", "state_key")
	c.bind("shelf", "manager")
	c.startOperator("10.0.0.3:8443", narrow, "--leader-elect=false", "--watch-namespaces=shelf,closed")
}

// bind gives a role of config/rbac to the operator with few rights.
func (c *troubled) bind(namespace, role string) {
	c.t.Helper()
	granted := &rbacv1.Role{}
	c.g.Expect(yaml.Unmarshal(read(c.t, filepath.Join("..", "..", "config", "rbac", role+"_role.yaml")), granted)).To(Succeed())
	granted.TypeMeta, granted.Namespace = metav1.TypeMeta{}, namespace
	c.create(granted)
	c.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: granted.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: granted.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "narrow"}},
	})
}

func (c *troubled) create(object client.Object) {
	c.t.Helper()
	c.g.Expect(c.kubernetes.Create(c.t.Context(), object)).To(Succeed())
}

func (c *troubled) createInputs(namespace string) {
	c.t.Helper()
	for name, data := range map[string]map[string]string{
		clientName:  {"client_id": clientName, "client_secret": password},
		movedClient: {"client_id": clientName, "client_secret": password},
		loginName:   {"username": username, "password": password},
		wrongLogin:  {"username": username, "password": "another"},
	} {
		c.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data})
	}
}

// credential creates one that signs in by password, but for what is changed.
func (c *troubled) credential(namespace, name, environment string, changes ...func(*v1alpha1.SpacesCredential)) {
	c.t.Helper()
	made := &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.SpacesCredentialSpec{
		Environment: environment, GrantType: v1alpha1.GrantTypePassword, ClientSecretRef: &v1alpha1.ClientSecretReference{Name: clientName},
		Password: &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: loginName}},
	}}
	for _, change := range changes {
		change(made)
	}
	c.create(made)
}

func (c *troubled) delete(namespace string, names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.g.Expect(c.kubernetes.Delete(c.t.Context(), &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})).To(Succeed())
	}
}

// What makes one credential another than the rest.
func byLogin(name string) func(*v1alpha1.SpacesCredential) {
	return func(c *v1alpha1.SpacesCredential) { c.Spec.Password.SecretRef.Name = name }
}

func verifiedBy(check v1alpha1.Verification) func(*v1alpha1.SpacesCredential) {
	return func(c *v1alpha1.SpacesCredential) { c.Spec.Verification = []v1alpha1.Verification{check} }
}

func revokedWithin(seconds int32) func(*v1alpha1.SpacesCredential) {
	return func(c *v1alpha1.SpacesCredential) {
		c.Spec.Revocation = &v1alpha1.Revocation{Policy: v1alpha1.RevocationOnDelete, DeadlineSeconds: ptr.To(seconds)}
	}
}

func byBrowser(c *v1alpha1.SpacesCredential) {
	c.Spec.GrantType, c.Spec.Password = v1alpha1.GrantTypeAuthorizationCode, nil
	c.Spec.AuthorizationCode = &v1alpha1.AuthorizationCodeGrant{SecretRef: v1alpha1.AuthorizationCodeSecretReference{Name: c.Name + "-login"}, RedirectURI: "http://localhost:3000"}
}

func byMovedClient(c *v1alpha1.SpacesCredential) { c.Spec.ClientSecretRef.Name = movedClient }

func suspended(c *v1alpha1.SpacesCredential) { c.Spec.Suspend = true }

// deed is something that happens at a time of the run.
type deed struct {
	at time.Duration
	do func()
}

// deeds are all that happens, in order.
func (c *troubled) deeds() []deed {
	names := func(prefix string, number int) (all []string) {
		for i := range number {
			all = append(all, fmt.Sprintf("%s-%d", prefix, i+1))
		}
		return all
	}
	const second = time.Second
	return []deed{
		{0, func() {
			for _, namespace := range []string{"team-a", "team-b", "team-c"} {
				for _, name := range names("bot", 3) {
					c.credential(namespace, name, well)
				}
			}
			c.credential("team-a", "looked-at", well, verifiedBy(v1alpha1.VerificationUserProfile))
			c.credential("team-a", "fought-over", well)
			c.credential("team-b", "leaver", well)
			c.credential("team-b", "moved", well, byMovedClient)
			c.credential("team-b", "refused-leaver", well)
			c.credential("team-c", "kiosk", well, byBrowser)
			c.credential("team-c", "resting", well, suspended)
			c.credential("team-c", "new-bot", well, byLogin("not-yet"))
			c.credential("team-a", "mistyped", well, byLogin(wrongLogin))
			for _, name := range names("caller", 4) {
				c.credential("team-b", name, impatient)
			}
			for _, namespace := range []string{"team-a", "team-c"} {
				for _, name := range names("partner-bot", 2) {
					c.credential(namespace, name, fragile)
				}
			}
			c.services[impatient].SetFaultRate(fakespaces.OperationTokenInfo, fakespaces.FaultOtherAudience, 1)
			c.credential("team-c", "impostor", impatient, verifiedBy(v1alpha1.VerificationTokenInfo))
			c.credential("team-b", "given-up", fragile, revokedWithin(5))
			c.credential("team-b", "not-revoked", fragile, revokedWithin(300))
			c.credential("team-a", "overseas-1", far)
		}},
		{6 * second, func() { c.credential("team-b", "overseas-2", far) }},
		{12 * second, func() {
			c.credential("team-c", "overseas-3", far)
			c.services[impatient].SetFaultRate(fakespaces.OperationRefresh, fakespaces.FaultThrottledSeconds, 1)
			c.services[fragile].SetFaultRate(fakespaces.OperationRevoke, fakespaces.FaultServerError500, 1)
			c.delete("team-b", "given-up", "not-revoked", "leaver")
		}},
		{16 * second, func() {
			c.services[well].Next(fakespaces.OperationRevoke, fakespaces.FaultInvalidClient)
			c.delete("team-b", "refused-leaver")
			// Its old grant waits for two minutes, which are two hours here.
			moved := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team-b", Name: movedClient}}
			c.g.Expect(c.kubernetes.Patch(c.t.Context(), moved, client.RawPatch(types.MergePatchType, []byte(`{"stringData":{"client_id":"`+nextClient+`"}}`)))).To(Succeed())
			lost := fakespaces.FaultLostBefore
			c.services[well].Next(fakespaces.OperationRefresh, lost, fakespaces.NoFault, lost, fakespaces.NoFault, lost, fakespaces.NoFault, lost, fakespaces.NoFault, lost)
		}},
		{18 * second, func() { c.services[fragile].Down(true) }},
		{50 * second, func() {
			c.services[fragile].SetFaultRate(fakespaces.OperationRevoke, fakespaces.FaultServerError500, 0)
			c.services[fragile].Down(false)
		}},
		{52 * second, func() { c.writeEnvironments("environments: [{name: 1}]") }},
		{65 * second, func() {
			c.services[impatient].SetFaultRate(fakespaces.OperationRefresh, fakespaces.FaultThrottledSeconds, 0)
		}},
		{72 * second, func() { c.kill(c.leader()) }},
		{96 * second, func() {
			for name := range c.operators {
				c.kill(name)
			}
		}},
	}
}

// runTime is how long all of it takes, an absence of twelve minutes at the end once it is stretched.
const runTime = 109 * time.Second

// fights is for how long a person deletes what the operator publishes, and how often.
const (
	fightsUntil = 45 * time.Second
	fightPause  = time.Second
)

func (c *troubled) writeEnvironments(content string) {
	c.t.Helper()
	c.g.Expect(os.WriteFile(c.environments, []byte(content), 0o600)).To(Succeed())
}

// leader is the operator that holds the lease.
func (c *troubled) leader() string {
	c.t.Helper()
	for _, name := range c.elected {
		found, err := samplesAt(c.t.Context(), c.addresses[name])
		c.g.Expect(err).NotTo(HaveOccurred())
		for _, sample := range found {
			if sample.Metric["__name__"] == "leader_election_master_status" && sample.Value == 1 {
				return name
			}
		}
	}
	c.t.Fatal("no operator leads")
	return ""
}

// kill ends an operator without a word.
func (c *troubled) kill(name string) {
	if err := c.operators[name].Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Error(err)
	}
}

// run lets everything happen, and records it.
func (c *troubled) run() *record {
	c.t.Helper()
	for name, operator := range c.operators {
		c.g.Eventually(func() error {
			if failed := operator.Failure(); failed != nil {
				return StopTrying(name).Wrap(failed)
			}
			_, err := samplesAt(c.t.Context(), c.addresses[name])
			return err
		}).WithTimeout(time.Minute).Should(Succeed())
	}
	kept, left := newRecord(c.t), c.deeds()
	fought := kept.began
	looks := time.NewTicker(scrapePause)
	defer looks.Stop()
	for {
		passed := time.Since(kept.began)
		for len(left) > 0 && passed >= left[0].at {
			left[0].do()
			left = left[1:]
		}
		if passed < fightsUntil && time.Since(fought) > fightPause {
			fought = time.Now()
			stolen := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "fought-over"}}
			c.g.Expect(client.IgnoreNotFound(c.kubernetes.Delete(c.t.Context(), stolen))).To(Succeed())
		}
		for name, address := range c.addresses {
			c.g.Expect(kept.scrape(context.WithoutCancel(c.t.Context()), name, address)).To(Succeed())
		}
		if passed > runTime {
			return kept
		}
		<-looks.C
	}
}
