package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// maxInput bounds a value of an input, in bytes. The longest that a person has are tokens
// of a few KiB, and a seed must fit into the state beside the answers of the service.
const maxInput = 64 << 10

// maxSent bounds a seed, a code and its verifier, which stand in the state until the service has
// judged them.
const maxSent = spacesauth.MaxRefreshToken

// clientIDKey is the key whose value is a client ID by its very name.
const clientIDKey = "client_id"

// inputs are what a credential's Secrets hold. Each value may be missing: its problem
// says why, and matters only to a spend that needs it.
type inputs struct {
	// given are the values. isRead tells that they are those of now, so that a sign-in may send
	// them: its login, seed or code was read live in this pass.
	given  grantstate.Given
	isRead bool
	knownInputs
}

// knownInputs is what is remembered of inputs from pass to pass, which is no value of them.
type knownInputs struct {
	// seen tells them apart, also where they were read in an earlier pass.
	seen grantstate.Seen
	// clientID is the client ID, where it may be told.
	clientID string

	// consentProblem is what was told of the consent when they were read.
	consentProblem outcome
	clientProblem  outcome
	grantProblem   outcome
	// lent is the client that was read, where it is not the namespace's own.
	lent lentVersion
	// versions are those that were read, generation is that of the spec that named
	// the Secrets, and issuer the accounts URL that they were read for: the file of environments may
	// change while spec and Secrets do not.
	versions   []versionRead
	generation int64
	issuer     string
}

// versionRead is the resourceVersion of a Secret as it was read.
type versionRead struct{ secret, version string }

// note remembers in which version a Secret was read; an empty one is none.
func (known *knownInputs) note(secret, version string) {
	known.versions = append(known.versions, versionRead{secret, version})
}

// isOf tells that a Secret was read last as the informer shows it: in that version, or not at all.
func (known *knownInputs) isOf(secret string, seen *metav1.PartialObjectMetadata) bool {
	var version string
	for _, read := range known.versions {
		if read.secret == secret {
			version = read.version
		}
	}
	if seen == nil {
		return version == ""
	}
	return version == seen.ResourceVersion
}

// observeInputs returns the inputs as they are. They are read again only when the informer
// shows another version than was read last. Without a state nothing is remembered of them.
func (r *Reconciler) observeInputs(ctx context.Context, s *scope) (inputs, error) {
	known := r.memory.of(s.key).inputs
	fresh := s.state != nil && known != nil && known.generation == s.credential.Generation && known.issuer == s.issuer()
	imported, err := r.importOf(ctx, s)
	if err != nil {
		return inputs{}, err
	}
	fresh = fresh && known.isOf(s.importName().Name, imported)
	for _, name := range s.credential.InputSecretNames() {
		seen, err := secretio.Metadata(ctx, r.Client, types.NamespacedName{Namespace: s.key.Namespace, Name: name})
		if err != nil {
			return inputs{}, err
		}
		fresh = fresh && known.isOf(name, seen)
	}
	if fresh {
		lent, err := r.lentNow(ctx, s)
		if err != nil {
			return inputs{}, err
		}
		fresh = lent == known.lent && s.consent.problem == known.consentProblem
	}
	if fresh {
		return inputs{knownInputs: *known}, nil
	}
	grant := remembered
	if s.state == nil { // a sign-in comes next
		grant = live
	}
	in, err := r.readInputs(ctx, s, grant)
	if err == nil && s.state != nil {
		r.rememberInputs(s.key, in)
	}
	return in, err
}

// issuer is the accounts URL of the environment that spec names, empty where nobody knows it.
func (s *scope) issuer() string {
	if s.environment == nil {
		return ""
	}
	return s.environment.Environment().AccountsURL
}

// rememberInputs keeps what tells the inputs apart, and no value of them.
func (r *Reconciler) rememberInputs(key types.NamespacedName, in inputs) {
	kept := in.knownInputs // a pointer into in would keep the values, too
	r.memory.change(key, func(known *recollection) { known.inputs = &kept })
}

// wanted is which reading of an input is wanted.
type wanted int

const (
	// none is wanted where only the client is sent.
	none wanted = iota
	// remembered is the version that the informer shows, which tells values apart.
	remembered
	// live is what the API server has now. An informer may be late, above all in a process that
	// was stopped, and an account is locked after a few mistakes.
	live
	// once is what is sent once: it is read live, and nothing is kept of it.
	once
)

// readInputs reads the client's Secret, as it is remembered, and the grant's own Secret as wanted.
// Its error is the API server's; what is wrong with a Secret is an outcome.
func (r *Reconciler) readInputs(ctx context.Context, s *scope, grant wanted) (inputs, error) {
	in := inputs{isRead: grant != none, knownInputs: knownInputs{generation: s.credential.Generation, issuer: s.issuer()}}
	in.given.Scopes, in.given.AccountsURL = s.credential.EffectiveScopes(), in.issuer
	if ref := s.credential.Spec.ClientSecretRef; ref != nil {
		reading, err := r.readInput(ctx, s.key.Namespace, ref.Name, remembered)
		if err != nil {
			return in, err
		}
		in.note(ref.Name, reading.version)
		in.given.Application.ID = reading.value(ref.ClientIDKey).Reveal()
		in.given.Application.Secret = reading.optional(ref.ClientSecretKey)
		in.clientProblem = reading.problem
		// Under any other key a status that repeats the value would be a way to read a Secret.
		if ref.ClientIDKey == clientIDKey && !reading.problem.isTrouble() {
			in.clientID = in.given.Application.ID
		}
	}
	in.consentProblem = s.consent.problem
	switch {
	case s.consent.client != nil:
		if err := r.readLent(ctx, s, &in); err != nil {
			return in, err
		}
	case s.consent.isAsked:
		in.clientProblem = s.consent.problem
	}
	if grant != none {
		if err := r.readGrantInput(ctx, s.credential, grant, &in); err != nil {
			return in, err
		}
		if err := r.readImport(ctx, s, &in); err != nil {
			return in, err
		}
	}
	in.given.NoClient, in.given.NoGrant = in.clientProblem.isTrouble(), in.grantProblem.isTrouble()
	in.seen = s.document.See(in.given)
	return in, nil
}

// readGrantInput reads what makes a grant of this type.
func (r *Reconciler) readGrantInput(ctx context.Context, credential *v1alpha1.SpacesCredential, login wanted, in *inputs) error {
	switch spec := credential.Spec; {
	case spec.Password != nil:
		ref := spec.Password.SecretRef
		reading, err := r.readInput(ctx, credential.Namespace, ref.Name, login)
		if err != nil {
			return err
		}
		in.note(ref.Name, reading.version)
		in.isRead = !reading.isOld
		in.given.Username = reading.value(ref.UsernameKey).Reveal()
		in.given.Password = reading.value(ref.PasswordKey)
		in.grantProblem = reading.problem
	case spec.RefreshToken != nil:
		ref := spec.RefreshToken.SecretRef
		reading, err := r.readInput(ctx, credential.Namespace, ref.Name, once)
		if err != nil {
			return err
		}
		in.note(ref.Name, reading.version)
		in.given.Seed = reading.bounded(ref.Key, maxSent)
		in.grantProblem = reading.problem
	case spec.AuthorizationCode != nil:
		ref := spec.AuthorizationCode.SecretRef
		reading, err := r.readInput(ctx, credential.Namespace, ref.Name, once)
		if err != nil {
			return err
		}
		in.note(ref.Name, reading.version)
		in.given.Code.Code = reading.bounded(ref.CodeKey, maxSent)
		in.given.Code.CodeVerifier = reading.bounded(ref.CodeVerifierKey, maxSent)
		in.given.Code.RedirectURI = reading.redirectURI(spec.AuthorizationCode)
		in.given.ExpectedUser = reading.beside(v1alpha1.KeyExpectedUser, ref).Reveal()
		in.grantProblem = authorizationPending(credential, reading.problem)
	case spec.Anonymous != nil:
		guest := spacesauth.Guest(*spec.Anonymous)
		in.given.Guest = &guest
	}
	return nil
}

// inputReading is one input Secret and the first thing that is wrong with it.
type inputReading struct {
	name string
	// version is the one that was read; empty where there is no such Secret.
	version string
	// isOld tells that it was read earlier.
	isOld   bool
	values  map[string]spacesauth.Secret
	problem outcome
}

// readInput reads one input as wanted.
func (r *Reconciler) readInput(ctx context.Context, namespace, name string, as wanted) (*inputReading, error) {
	input := &inputReading{name: name}
	found, isOld, err := r.readSecret(ctx, types.NamespacedName{Namespace: namespace, Name: name}, as)
	switch {
	case apierrors.IsNotFound(err):
		input.problem = inputMissing(name)
		return input, nil
	case apierrors.IsForbidden(err):
		input.problem = inputForbidden(name).at(r.Clock.Now().Add(forbiddenRecheck))
		return input, nil
	case err != nil:
		return nil, fmt.Errorf("reading the input Secret %s/%s: %w", namespace, name, err)
	}
	input.version = found.version
	if !isInputType(found.kind) {
		input.problem = noInputType(name)
		return input, nil
	}
	input.isOld, input.values = isOld, found.values
	return input, nil
}

// isInputType keeps a credential from reading state Secrets, service account tokens
// and whatever else was never meant as an input.
func isInputType(t corev1.SecretType) bool {
	return t == corev1.SecretTypeOpaque || t == corev1.SecretTypeBasicAuth || t == "" || t == v1alpha1.SecretTypeAuthorizationCode
}

// value returns the value of key without one trailing newline, which
// --from-file leaves. It names the missing key, never those that exist.
func (i *inputReading) value(key string) spacesauth.Secret { return i.bounded(key, maxInput) }

// optional is value, and empty where the key or its value is: a client without a secret is a
// public one (RFC 6749 §2.1).
func (i *inputReading) optional(key string) spacesauth.Secret {
	if withoutNewline(i.values[key].Reveal()) == "" {
		return spacesauth.Secret{}
	}
	return i.value(key)
}

// beside is optional for a key of ours, which spec may have taken for something else.
func (i *inputReading) beside(key string, ref v1alpha1.AuthorizationCodeSecretReference) spacesauth.Secret {
	if key == ref.CodeKey || key == ref.CodeVerifierKey {
		return spacesauth.Secret{}
	}
	return i.optional(key)
}

// redirectURI is the one that the code was given for. The service wants the very same at the
// exchange, and only spec says which they may be.
func (i *inputReading) redirectURI(spec *v1alpha1.AuthorizationCodeGrant) string {
	used := i.beside(v1alpha1.KeyRedirectURI, spec.SecretRef).Reveal()
	switch {
	case used == "":
		return spec.RedirectURI
	case !slices.Contains(spec.AllRedirectURIs(), used) && !i.problem.isTrouble():
		i.problem = otherRedirectURI(i.name)
	}
	return used
}

func withoutNewline(value string) string {
	if !strings.HasSuffix(value, "\n") {
		return value
	}
	return strings.TrimSuffix(strings.TrimSuffix(value, "\n"), "\r")
}

// bounded is value, of at most so many bytes.
func (i *inputReading) bounded(key string, most int) spacesauth.Secret {
	if i.problem.isTrouble() {
		return spacesauth.Secret{}
	}
	raw, found := i.values[key]
	value := withoutNewline(raw.Reveal())
	switch {
	case !found:
		i.problem = keyMissing(i.name, key)
	case value == "":
		i.problem = keyEmpty(i.name, key)
	case len(value) > most:
		i.problem = keyTooLong(i.name, key, most)
	case strings.ContainsFunc(value, isUnprintable):
		i.problem = keyUnprintable(i.name, key)
	}
	if i.problem.isTrouble() {
		return spacesauth.Secret{}
	}
	return spacesauth.NewSecret(value)
}

func isUnprintable(r rune) bool { return r < ' ' || r == 0x7f || r == '�' }
