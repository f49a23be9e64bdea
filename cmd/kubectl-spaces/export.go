package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/transfer"
)

// export is what an export was asked for.
type export struct {
	name    string
	to      string
	lost    string
	file    string
	yes     bool
	timeout time.Duration
}

func (t *tool) exportCommand() *cobra.Command {
	e := &export{}
	command := &cobra.Command{
		Use:   "export NAME --to KEY",
		Short: "Give the grant of a SpacesCredential to another cluster",
		Long: `Give the grant of a SpacesCredential to another cluster, sealed to a key that
kubectl spaces import --new-key made there. From then on the operator here
neither renews nor revokes it; the published token lives until it expires. It
takes an operator with --allow-export. What comes out opens with the importer's
private key alone, and must be imported once: two clusters with one grant end
it.`,
		Example: `  kubectl spaces export meeting-bot --to BOw2... --file meeting-bot.export

  # In a script, where nobody can be asked
  kubectl spaces export meeting-bot --to "$KEY" --yes >meeting-bot.export

  # The first key is lost, and what was sealed to it was never imported
  kubectl spaces export meeting-bot --to BNx7... \
    --lost 5f0c9a1be2d45f0c9a1be2d45f0c9a1b`,
		Args:              oneName,
		ValidArgsFunction: t.names(),
		RunE: func(command *cobra.Command, arguments []string) error {
			e.name = arguments[0]
			return t.export(command.Context(), e)
		},
	}
	command.Flags().StringVar(&e.to, "to", "", "the importer's public key, as import --new-key printed it")
	command.Flags().StringVar(&e.lost, "lost", "", "ID of the key that it was exported to before, which is lost for good and was never used to import")
	command.Flags().StringVar(&e.file, "file", "-", "new file for the sealed grant; - is standard output")
	command.Flags().BoolVar(&e.yes, "yes", false, "do not ask")
	command.Flags().DurationVar(&e.timeout, "timeout", requestWait, "how long to wait for the operator")
	return command
}

// export asks the operator for the grant, and hands on what it answers.
func (t *tool) export(ctx context.Context, e *export) error {
	if e.to == "" {
		return usageErrorf("give the importer's public key with --to; kubectl spaces import --new-key makes one there")
	}
	to, err := transfer.ParsePublicKey(e.to)
	if err != nil {
		return usageErrorf("--to: %v", err)
	}
	if !e.yes && !t.terminal() {
		return errors.New("nobody is there to confirm it: give --yes to export without being asked")
	}
	if _, err := os.Lstat(e.file); e.file != "-" && err == nil {
		return fmt.Errorf("the file %s is there already, and is not overwritten", e.file)
	}
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	credential, err := cluster.credential(ctx, e.name)
	if err != nil {
		return err
	}
	if err := e.canBegin(cluster, credential); err != nil {
		return err
	}
	if !e.yes {
		fmt.Fprintf(t.ErrOut, "The importer's key is %s.\n", to.ID())
		sure, err := t.confirm(ctx, fmt.Sprintf("Export the grant of %s? It is not renewed here afterwards.", e.name))
		if err != nil {
			return err
		}
		if !sure {
			return errors.New("nothing was exported")
		}
	}
	sealed, after, err := t.askForExport(ctx, cluster, credential, e, to)
	if err != nil {
		return err
	}
	if err := t.putOut(e.file, sealed); err != nil {
		return fmt.Errorf("%w; the grant is exported all the same: run the same command again, to another file", err)
	}
	t.tellExported(cluster, after, e, to)
	return nil
}

// canBegin says what keeps an export from making sense.
func (e *export) canBegin(c *cluster, credential *v1alpha1.SpacesCredential) error {
	switch {
	case !credential.Spec.GrantType.IsKnown():
		return fmt.Errorf("this version does not know %s: %s", grantTypeOf(credential), installNewer)
	case credential.Spec.GrantType == v1alpha1.GrantTypeAnonymous:
		return fmt.Errorf("%s has %s: a guest belongs to nobody, so make one in the other cluster", e.name, grantTypeOf(credential))
	case credential.DeletionTimestamp != nil:
		return fmt.Errorf("%s is being deleted, and its grants are revoked with it", e.name)
	case credential.Spec.Suspend:
		return fmt.Errorf("%s is suspended, so the operator would leave the request alone: %s first", e.name, c.pasteSpaces("resume", credential))
	}
	return nil
}

// askForExport annotates the credential and waits for the answer.
func (t *tool) askForExport(ctx context.Context, c *cluster, credential *v1alpha1.SpacesCredential, e *export, to transfer.PublicKey) ([]byte, *v1alpha1.SpacesCredential, error) {
	request := t.clock.Now().UTC().Format(time.RFC3339Nano)
	var lost any // null takes away what an earlier request said
	if e.lost != "" {
		lost = e.lost
	}
	change := map[string]any{"metadata": map[string]any{"annotations": map[string]any{
		v1alpha1.AnnotationExportRequestedAt: request, v1alpha1.AnnotationExportTo: to.String(), v1alpha1.AnnotationExportLost: lost,
	}}}
	if err := c.patchCredential(ctx, credential, change); err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(t.ErrOut, "Waiting for the operator to export the grant of %s (at most %s) ...\n", e.name, e.timeout)
	var sealed []byte
	after, err := c.await(ctx, e.name, e.timeout, func(seen *v1alpha1.SpacesCredential) (done bool, err error) {
		switch {
		case seen.UID != credential.UID || seen.DeletionTimestamp != nil:
			return false, fmt.Errorf("%s was deleted meanwhile", e.name)
		case seen.Status.LastHandledExportRequest != request:
			return false, nil
		}
		if _, why, isRefused := strings.Cut(conditionOf(seen, v1alpha1.ConditionGrantValid).Message, v1alpha1.ExportRefused); isRefused {
			return false, fmt.Errorf("the export was refused: %s", plain(why))
		}
		sealed, err = c.exported(ctx, seen, request, to)
		return sealed != nil, err
	})
	if errors.Is(err, errOver) {
		said := conditionOf(after, v1alpha1.ConditionGrantValid)
		return nil, nil, fmt.Errorf("the grant is not exported after %s: %s: %s", e.timeout, orNone(said.Reason), orNone(said.Message))
	}
	return sealed, after, err
}

// exported is the answer to a request, or nil where it is not there yet.
func (c *cluster) exported(ctx context.Context, credential *v1alpha1.SpacesCredential, request string, to transfer.PublicKey) ([]byte, error) {
	secret, err := c.secret(ctx, credential.ExportSecretName())
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case isFinal(err):
		return nil, c.aboutSecret(err, "get", credential.ExportSecretName())
	case err != nil || secret.Type != v1alpha1.SecretTypeGrantExport:
		return nil, nil
	}
	envelope, err := transfer.ReadEnvelope(secret.Data[v1alpha1.ExportKey])
	if err != nil || envelope.Request != request || envelope.Key != to.ID() || envelope.CredentialUID != credential.UID {
		return nil, nil // that of an earlier request
	}
	return secret.Data[v1alpha1.ExportKey], nil
}

// putOut writes to a new file that only this person may read, or to standard output.
func (t *tool) putOut(name string, content []byte) error {
	content = append(content[:len(content):len(content)], '\n')
	if name == "-" {
		_, err := t.Out.Write(content)
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("the file cannot be written: %w", err)
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

// tellExported says what is so now, and what comes next.
func (t *tool) tellExported(c *cluster, after *v1alpha1.SpacesCredential, e *export, to transfer.PublicKey) {
	fmt.Fprintf(t.ErrOut, "The grant of %s is exported, sealed to the key\n  %s\n", e.name, to.ID())
	fmt.Fprintln(t.ErrOut, "The operator here neither renews nor revokes it any more.")
	if token := after.Status.Token; token != nil && token.ExpirationTime != nil {
		fmt.Fprintf(t.ErrOut, "Its published token expires %s.\n", relative(token.ExpirationTime, t.clock.Now()))
	}
	file := "FILE"
	if e.file != "-" {
		file = quoted(e.file)
	}
	fmt.Fprintf(t.ErrOut, "Import it in the other cluster, once and nowhere else:\n  kubectl spaces import %s --key KEYFILE\n", file)
	fmt.Fprintf(t.ErrOut, "When that is done, delete it here, which revokes nothing:\n  %s\n",
		strings.Trim(c.paste("delete spcred "+e.name, after.Namespace), "`"))
}

// importSecret is the Secret that hands a grant to the operator.
func importSecret(credential *v1alpha1.SpacesCredential, content []byte) *corev1.Secret {
	secret := &corev1.Secret{Type: v1alpha1.SecretTypeGrantImport, Data: map[string][]byte{v1alpha1.ImportKey: content}}
	secret.Namespace, secret.Name = credential.Namespace, credential.ImportSecretName()
	secret.Labels = credential.StateLabels()
	// The UID ties it to this very object: a copy of both in another cluster is not taken.
	secret.Annotations = map[string]string{
		v1alpha1.AnnotationCredential: credential.Name, v1alpha1.AnnotationCredentialUID: string(credential.UID),
	}
	return secret
}
