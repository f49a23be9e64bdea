package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// maxInput bounds a value of an input, in bytes. The longest that a person has are tokens
// of a few KiB, and a seed must fit into the state beside the answers of the service.
const maxInput = 64 << 10

// clientIDKey is the key whose value is a client ID by its very name.
const clientIDKey = "client_id"

// inputs are the values a credential's Secrets hold. Each may be missing: its
// problem says why, and matters only to a spend that needs it.
type inputs struct {
	app      spacesauth.Application
	username string
	password spacesauth.Secret
	seed     spacesauth.Secret
	code     spacesauth.AuthorizationCodeGrant
	guest    *spacesauth.Guest

	clientProblem *finding
	grantProblem  *finding
	// versions are the resourceVersions that were read.
	versions map[string]string
}

// readInputs reads the client Secret, and the grant's own Secret if wanted. Its
// error is the API server's; what is wrong with a Secret is a finding.
func (r *Reconciler) readInputs(ctx context.Context, credential *v1alpha1.SpacesCredential, withGrant bool) (inputs, error) {
	in := inputs{versions: map[string]string{}}
	if ref := credential.Spec.ClientSecretRef; ref != nil {
		reading, err := r.readInput(ctx, credential.Namespace, ref.Name, in.versions)
		if err != nil {
			return in, err
		}
		in.app.ID = reading.value(ref.ClientIDKey).Reveal()
		in.app.Secret = reading.value(ref.ClientSecretKey)
		in.clientProblem = reading.problem
	}
	if !withGrant {
		return in, nil
	}
	switch spec := credential.Spec; {
	case spec.Password != nil:
		ref := spec.Password.SecretRef
		reading, err := r.readInput(ctx, credential.Namespace, ref.Name, in.versions)
		if err != nil {
			return in, err
		}
		in.username = reading.value(ref.UsernameKey).Reveal()
		in.password = reading.value(ref.PasswordKey)
		in.grantProblem = reading.problem
	case spec.RefreshToken != nil:
		ref := spec.RefreshToken.SecretRef
		reading, err := r.readInput(ctx, credential.Namespace, ref.Name, in.versions)
		if err != nil {
			return in, err
		}
		in.seed = reading.value(ref.Key)
		in.grantProblem = reading.problem
	case spec.AuthorizationCode != nil:
		ref := spec.AuthorizationCode.SecretRef
		reading, err := r.readInput(ctx, credential.Namespace, ref.Name, in.versions)
		if err != nil {
			return in, err
		}
		in.code.Code = reading.value(ref.CodeKey)
		in.code.CodeVerifier = reading.value(ref.CodeVerifierKey)
		in.code.RedirectURI = spec.AuthorizationCode.RedirectURI
		in.grantProblem = pendingAuthorization(credential, reading.problem)
	case spec.Anonymous != nil:
		guest := spacesauth.Guest(*spec.Anonymous)
		in.guest = &guest
	}
	return in, nil
}

// pendingAuthorization says of a missing code what a person can do about it.
func pendingAuthorization(credential *v1alpha1.SpacesCredential, problem *finding) *finding {
	if problem == nil || problem.reason != v1alpha1.ReasonWaitingForInput {
		return problem
	}
	return waiting(v1alpha1.ReasonAuthorizationPending, "A person has to sign in with a browser. Run %s; the operator goes on by itself.", loginCommand(credential))
}

// loginCommand is what a person types to sign in.
func loginCommand(credential *v1alpha1.SpacesCredential) string {
	return fmt.Sprintf("`kubectl spaces login %s -n %s`", credential.Name, credential.Namespace)
}

// observeInputs returns the hashes of the inputs as they are. They are read again
// only when the informer shows another version than was read last.
func (r *Reconciler) observeInputs(ctx context.Context, p *pass) (inputsMemory, error) {
	known := r.memory.of(p.key).inputs
	fresh := known.versions != nil && known.generation == p.credential.Generation
	for _, name := range p.credential.InputSecretNames() {
		seen, err := r.secretMetadata(ctx, types.NamespacedName{Namespace: p.key.Namespace, Name: name})
		if err != nil {
			return inputsMemory{}, err
		}
		if seen != nil && seen.ResourceVersion != known.versions[name] || seen == nil && known.versions[name] != "" {
			fresh = false
		}
	}
	if fresh {
		return known, nil
	}
	in, err := r.readInputs(ctx, p.credential, true)
	if err != nil {
		return inputsMemory{}, err
	}
	p.tellClientID(in)
	return r.rememberInputs(p, in, p.state.document.Inputs), nil
}

func (r *Reconciler) rememberInputs(p *pass, in inputs, memory inputMemory) inputsMemory {
	accountsURL, scopes := p.client.Environment().AccountsURL, p.credential.EffectiveScopes()
	remembered := inputsMemory{
		versions: in.versions, generation: p.credential.Generation,
		used: in.used(memory, accountsURL, scopes),
	}
	if in.clientProblem == nil {
		remembered.refreshHash = in.refreshHash(memory, accountsURL)
		if in.grantProblem == nil {
			remembered.signInHash = in.signInHash(memory, accountsURL, scopes)
		}
	}
	r.memory.change(p.key, func(known *recollection) { known.inputs = remembered })
	return remembered
}

// inputsChanged tells that the inputs that spec names are not those the grant was made
// with.
func (r *Reconciler) inputsChanged(p *pass) bool {
	known := r.memory.of(p.key).inputs
	return known.generation != p.credential.Generation || p.document().Inputs.Used.changed(known.used)
}

// tellClientID remembers the client ID for the status, where it may be told. Under any
// other key a status that repeats the value would be a way to read a Secret.
func (p *pass) tellClientID(in inputs) {
	if ref := p.credential.Spec.ClientSecretRef; ref != nil && ref.ClientIDKey == clientIDKey && in.clientProblem == nil {
		p.clientID = in.app.ID
	}
}

// inputReading is one input Secret and the first thing that is wrong with it.
type inputReading struct {
	name    string
	data    map[string][]byte
	problem *finding
}

func (r *Reconciler) readInput(ctx context.Context, namespace, name string, versions map[string]string) (*inputReading, error) {
	reading := &inputReading{name: name}
	var secret corev1.Secret
	err := r.Live.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &secret)
	switch {
	case apierrors.IsNotFound(err):
		reading.problem = waiting(v1alpha1.ReasonWaitingForInput, "Secret %q does not exist in this namespace. Create it; the operator goes on by itself.", name)
		return reading, nil
	case apierrors.IsForbidden(err):
		reading.problem = blocked(v1alpha1.ReasonSecretForbidden, "The operator may not read Secret %q. Grant its service account get on Secrets in this namespace.", name).
			at(r.Clock.Now().Add(forbiddenRecheck))
		return reading, nil
	case err != nil:
		return nil, fmt.Errorf("reading the input Secret %s/%s: %w", namespace, name, err)
	}
	versions[name] = secret.ResourceVersion
	if !isInputType(secret.Type) {
		reading.problem = blocked(v1alpha1.ReasonInputInvalid, "Secret %q has a type that is no input. Use type Opaque or kubernetes.io/basic-auth.", name)
		return reading, nil
	}
	reading.data = secret.Data
	return reading, nil
}

// isInputType keeps a credential from reading state Secrets, service account tokens
// and whatever else was never meant as an input.
func isInputType(t corev1.SecretType) bool {
	return t == corev1.SecretTypeOpaque || t == corev1.SecretTypeBasicAuth || t == "" || t == v1alpha1.SecretTypeAuthorizationCode
}

// value returns the value of key without one trailing newline, which
// --from-file leaves. It names the missing key, never those that exist.
func (i *inputReading) value(key string) spacesauth.Secret {
	if i.problem != nil {
		return spacesauth.Secret{}
	}
	raw, found := i.data[key]
	value := string(raw)
	if strings.HasSuffix(value, "\n") {
		value = strings.TrimSuffix(strings.TrimSuffix(value, "\n"), "\r")
	}
	switch {
	case !found:
		i.problem = waiting(v1alpha1.ReasonWaitingForInput, "Secret %q has no key %q. Add it; the operator goes on by itself.", i.name, key)
	case value == "":
		i.problem = blocked(v1alpha1.ReasonInputInvalid, "Key %q of Secret %q is empty. Give it a value.", key, i.name)
	case len(value) > maxInput:
		i.problem = blocked(v1alpha1.ReasonInputInvalid, "Key %q of Secret %q holds more than %d KiB. That is no such value; look for a file that was put there by mistake.", key, i.name, maxInput>>10)
	case strings.ContainsFunc(value, isUnprintable):
		i.problem = blocked(v1alpha1.ReasonInputInvalid, "Key %q of Secret %q holds control characters or binary data. Store it again as plain text; it may have been encoded twice.", key, i.name)
	}
	if i.problem != nil {
		return spacesauth.Secret{}
	}
	return spacesauth.NewSecret(value)
}

func isUnprintable(r rune) bool { return r < ' ' || r == 0x7f || r == '�' }

// used are the hashes that tell whether a grant is made with these inputs.
func (in inputs) used(m inputMemory, accountsURL string, scopes []string) usedInputs {
	var used usedInputs
	if in.clientProblem == nil {
		used.Client = m.hash("client", accountsURL, in.app.ID, strings.Join(scopes, " "))
	}
	if in.username != "" {
		used.Login = m.hash("login", in.username)
	}
	if in.guest != nil {
		used.Login = m.hash("guest", in.guest.DisplayName, in.guest.Username, in.guest.PictureURL)
	}
	if !in.seed.Empty() {
		used.Seed = m.hash("seed", in.seed.Reveal())
	}
	if !in.code.Code.Empty() {
		used.Code = m.hash("code", in.code.Code.Reveal())
	}
	return used
}

// signInHash covers all that a sign-in sends.
func (in inputs) signInHash(m inputMemory, accountsURL string, scopes []string) string {
	if in.guest != nil {
		return m.hash("guest", accountsURL, in.guest.DisplayName, in.guest.Username, in.guest.PictureURL)
	}
	if !in.code.Code.Empty() {
		return m.hash("code", accountsURL, in.app.ID, in.app.Secret.Reveal(), in.code.Code.Reveal(), in.code.CodeVerifier.Reveal(), in.code.RedirectURI)
	}
	if !in.seed.Empty() {
		return m.hash("seed", accountsURL, in.app.ID, in.app.Secret.Reveal(), in.seed.Reveal())
	}
	return m.hash("sign-in", accountsURL, in.app.ID, in.app.Secret.Reveal(), in.username, in.password.Reveal(), strings.Join(scopes, " "))
}

// refreshHash covers what a refresh sends beside the refresh token.
func (in inputs) refreshHash(m inputMemory, accountsURL string) string {
	return m.hash("refresh", accountsURL, in.app.ID, in.app.Secret.Reveal())
}
