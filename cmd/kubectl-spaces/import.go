package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/transfer"
)

// importing is what an import was asked for.
type importing struct {
	newKey  string
	key     string
	file    string
	name    string
	yes     bool
	timeout time.Duration
}

func (t *tool) importCommand() *cobra.Command {
	i := &importing{}
	command := &cobra.Command{
		Use:   "import FILE --key KEYFILE",
		Short: "Take over the grant of a SpacesCredential of another cluster",
		Long: `Take over the grant of a SpacesCredential of another cluster, which kubectl
spaces export sealed to a key of yours. The operator here takes it as the grant
of the SpacesCredential of that name, of any grant type but Anonymous, and
renews it at once. Import it once and nowhere else: two clusters with one grant
end it.`,
		Example: `  # First a key: the private one stays in the file, the public one is printed
  kubectl spaces import --new-key meeting-bot.key

  # When the other cluster has exported the grant to it
  kubectl spaces import meeting-bot.export --key meeting-bot.key`,
		Args: i.oneFile,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(command *cobra.Command, arguments []string) error {
			if i.newKey != "" {
				return t.newImportKey(i.newKey)
			}
			i.file = arguments[0]
			return t.importGrant(command.Context(), i)
		},
	}
	command.Flags().StringVar(&i.newKey, "new-key", "", "make a key: the private one in this new file, the public one on standard output")
	command.Flags().StringVar(&i.key, "key", "", "file with the private key")
	command.Flags().StringVar(&i.name, "name", "", "SpacesCredential to import into, instead of one that is called as at the source")
	command.Flags().BoolVar(&i.yes, "yes", false, "do not ask")
	command.Flags().DurationVar(&i.timeout, "timeout", exchangeWait, "how long to wait for the operator")
	return command
}

// oneFile wants one file, or a new key and nothing else.
func (i *importing) oneFile(_ *cobra.Command, arguments []string) error {
	switch {
	case i.newKey != "" && (len(arguments) > 0 || i.key != ""):
		return usageErrorf("--new-key makes a key and imports nothing: give it alone")
	case i.newKey != "":
		return nil
	case len(arguments) != 1:
		return usageErrorf("give one file that kubectl spaces export wrote, or - for standard input, not %d arguments", len(arguments))
	case i.key == "":
		return usageErrorf("give the file with the private key with --key")
	}
	return nil
}

// newImportKey makes a key, and prints whom to export to.
func (t *tool) newImportKey(name string) error {
	key, err := transfer.NewKey()
	if err != nil {
		return err
	}
	private, err := key.Reveal()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("the file for the private key cannot be made: %w", err)
	}
	_, err = file.WriteString(private + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("the private key cannot be written: %w", err)
	}
	fmt.Fprintf(t.ErrOut, "The private key is in %s: keep it there, and delete it after the import.\nIts ID is %s.\nExport to this public key in the other cluster:\n", quoted(name), key.Public().ID())
	fmt.Fprintln(t.Out, key.Public())
	return nil
}

// importGrant hands a grant to the operator, and waits until it has used it.
func (t *tool) importGrant(ctx context.Context, i *importing) error {
	grant, err := t.openExport(i)
	if err != nil {
		return err
	}
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	if i.name == "" {
		i.name = grant.Source.Name
	}
	before, err := cluster.credential(ctx, i.name)
	if err != nil {
		return err
	}
	if err := i.canBegin(before, grant); err != nil {
		return err
	}
	if err := t.agreed(ctx, i, grant); err != nil {
		return err
	}
	secret, err := cluster.handImport(ctx, before, grant)
	if err != nil {
		return err
	}
	if before.Spec.Suspend {
		fmt.Fprintf(t.Out, "The import waits in Secret %q, because %s is suspended.\nTo go on: %s\nWhen it is Ready, delete the Secret: %s\n",
			secret.Name, before.Name, cluster.pasteSpaces("resume", before), cluster.paste("delete secret "+secret.Name, before.Namespace))
		return nil
	}
	defer t.removeImport(ctx, cluster, secret)
	return t.awaitImport(ctx, cluster, before, i, grant)
}

// openExport reads the two files.
func (t *tool) openExport(i *importing) (transfer.Grant, error) {
	sealed, err := t.readFile(i.file)
	if err != nil {
		return transfer.Grant{}, err
	}
	envelope, err := transfer.ReadEnvelope(sealed)
	if err != nil {
		return transfer.Grant{}, fmt.Errorf("%s is nothing that kubectl spaces export wrote: %w", i.file, err)
	}
	private, err := t.readFile(i.key)
	if err != nil {
		return transfer.Grant{}, err
	}
	key, err := transfer.ParsePrivateKey(string(private))
	if err != nil {
		return transfer.Grant{}, fmt.Errorf("%s: %w", i.key, err)
	}
	return envelope.Open(key)
}

// readFile reads a file, or standard input, as far as any of ours goes.
func (t *tool) readFile(name string) ([]byte, error) {
	from := t.In
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("the file cannot be read: %w", err)
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	content, err := io.ReadAll(io.LimitReader(from, transfer.MaxSize+2))
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	return content, nil
}

// canBegin says what keeps an import from making sense.
func (i *importing) canBegin(credential *v1alpha1.SpacesCredential, grant transfer.Grant) error {
	granted := credential.Status.Grant
	switch {
	case !credential.Spec.GrantType.IsKnown():
		return fmt.Errorf("this version does not know %s: %s", grantTypeOf(credential), installNewer)
	case credential.Spec.GrantType == v1alpha1.GrantTypeAnonymous:
		return fmt.Errorf("%s has %s: it makes its own guests, and takes no grant", i.name, grantTypeOf(credential))
	case credential.DeletionTimestamp != nil:
		return fmt.Errorf("%s is being deleted", i.name)
	case credential.UID == grant.Source.CredentialUID:
		return fmt.Errorf("%s is the very object that was exported: import it in the other cluster", i.name)
	case granted != nil && granted.ImportID == grant.ID:
		return fmt.Errorf("%s has this grant already: delete the file, and import it nowhere else", i.name)
	case credential.Status.ClientID != "" && credential.Status.ClientID != grant.ClientID:
		return fmt.Errorf("the grant belongs to the client %s, and %s signs in as %s", plain(grant.ClientID), i.name, plain(credential.Status.ClientID))
	}
	return nil
}

// agreed shows whose grant it is. The envelope does not prove who sealed it: a person compares.
func (t *tool) agreed(ctx context.Context, i *importing, grant transfer.Grant) error {
	fmt.Fprintf(t.ErrOut, "The grant of %s/%s, exported %s:\n", plain(grant.Source.Namespace), plain(grant.Source.Name), relative(&metav1.Time{Time: grant.ExportTime}, t.clock.Now()))
	for _, line := range [][2]string{{"user", grant.Username}, {"client", grant.ClientID}, {"accounts", grant.AccountsURL}, {"scope", grant.Scope}} {
		fmt.Fprintf(t.ErrOut, "  %-9s %s\n", line[0], orNone(line[1]))
	}
	if i.yes {
		return nil
	}
	if !t.terminal() {
		return errors.New("nobody is there to compare: give --yes to import it without being asked")
	}
	sure, err := t.confirm(ctx, fmt.Sprintf("Is it the one that %s is to have?", i.name))
	if err == nil && !sure {
		err = errors.New("nothing was imported")
	}
	return err
}

// handImport makes the Secret that the operator takes the grant from. It writes over nothing.
func (c *cluster) handImport(ctx context.Context, credential *v1alpha1.SpacesCredential, grant transfer.Grant) (*corev1.Secret, error) {
	content, err := grant.Reveal()
	if err != nil {
		return nil, err
	}
	name := credential.ImportSecretName()
	// Policies, webhooks and quota are asked without the grant, so that what they say can be repeated.
	err = client.NewDryRunClient(c).Create(ctx, importSecret(credential, []byte("{}")), client.FieldOwner(fieldManager))
	if isRefusal(err) {
		return nil, because(err, "the API server would not take Secret %q, which hands the grant to the operator: %v; if a policy asks for labels, put them into spec.stateLabels", name, err)
	}
	secret := importSecret(credential, content)
	if err == nil {
		writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), writingWait)
		defer cancel()
		err = c.Create(writing, secret, client.FieldOwner(fieldManager))
	}
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil, fmt.Errorf("the Secret %q is there already, of another import or somebody else's: see what it is, then %s", name, c.paste("delete secret "+name, credential.Namespace))
	case isRefusal(err):
		// Its text may repeat what was sent.
		return nil, fmt.Errorf("the API server did not take Secret %q, although it would have a moment before: begin again to be told why", name)
	}
	return secret, c.aboutSecret(err, "create", name)
}

// awaitImport waits until the operator has a token of the grant, or has given up.
func (t *tool) awaitImport(ctx context.Context, c *cluster, before *v1alpha1.SpacesCredential, i *importing, grant transfer.Grant) error {
	fmt.Fprintf(t.ErrOut, "Waiting for the operator to renew the grant (at most %s) ...\n", i.timeout)
	after, err := c.await(ctx, before.Name, i.timeout, func(seen *v1alpha1.SpacesCredential) (bool, error) {
		granted := seen.Status.Grant
		switch {
		case seen.UID != before.UID || seen.DeletionTimestamp != nil:
			return false, fmt.Errorf("%s was deleted meanwhile", before.Name)
		case granted != nil && granted.ImportID == grant.ID:
			return conditionOf(seen, v1alpha1.ConditionReady).Status == metav1.ConditionTrue, nil
		}
		return false, importRefusedSince(before, seen)
	})
	if errors.Is(err, errOver) {
		return fmt.Errorf("%s has no token of the grant after %s: %s; if this file was imported here before, export the grant anew", before.Name, i.timeout, conditionsSay(after))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "%s has the grant of %s/%s.\n", before.Name, plain(grant.Source.Namespace), plain(grant.Source.Name))
	if token := after.Status.Token; token != nil && token.ExpirationTime != nil {
		fmt.Fprintf(t.Out, "Its token expires %s, and the operator renews it before.\n", relative(token.ExpirationTime, t.clock.Now()))
	}
	fmt.Fprintf(t.Out, "Import it nowhere else. Delete the files, and %s/%s at the source.\n", plain(grant.Source.Namespace), plain(grant.Source.Name))
	return nil
}

// importRefusedSince is what the operator says when the import came to nothing.
func importRefusedSince(before, seen *v1alpha1.SpacesCredential) error {
	was, is := conditionOf(before, v1alpha1.ConditionStalled), conditionOf(seen, v1alpha1.ConditionStalled)
	if is.Status != metav1.ConditionTrue || was.Status == is.Status && was.Reason == is.Reason && was.Message == is.Message {
		return nil
	}
	return fmt.Errorf("the import came to nothing: %s: %s", is.Reason, plain(is.Message))
}

// removeImport takes the Secret away, whatever came before, also when the person has pressed Ctrl-C:
// once it is used the operator keeps what there is to keep.
func (t *tool) removeImport(ctx context.Context, c *cluster, secret *corev1.Secret) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writingWait)
	defer cancel()
	err := c.Delete(ctx, secret, client.Preconditions{UID: &secret.UID})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		fmt.Fprintf(t.ErrOut, "warning: the grant is left in Secret %q: %s\n", secret.Name, plain(c.aboutSecret(err, "delete", secret.Name).Error()))
	}
}
