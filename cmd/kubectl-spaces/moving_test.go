package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
	"github.com/spaces-operator/spaces-credential-operator/internal/transfer"
)

// theSeed is the refresh token that moves.
const theSeed = "refresh-token-that-moves-5f0c9a1b"

// aMove is the grant of meeting-bot in team-a, and the key that it is for.
func aMove(t *testing.T) (transfer.Grant, transfer.PrivateKey) {
	t.Helper()
	key, err := transfer.NewKey()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return transfer.Grant{
		Source: transfer.Source{Namespace: "team-a", Name: "meeting-bot", CredentialUID: "source", GrantType: v1alpha1.GrantTypePassword},
		ID:     "0123456789abcdef01234567", Environment: "staging", AccountsURL: "https://accounts.example.test", ClientID: "6702b20d", Scope: "email spaces",
		RefreshToken: spacesauth.NewSecret(theSeed), Username: "bot@example.test", StartTime: noon.Add(-time.Hour), ExportTime: noon.Add(-time.Minute),
	}, key
}

// writeAll writes files for a test, and returns their folder.
func writeAll(t *testing.T, files map[string][]byte) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		NewWithT(t).Expect(os.WriteFile(filepath.Join(folder, name), content, 0o600)).To(Succeed())
	}
	return folder
}

// anExport is a folder with a grant that was exported, and the key that opens it.
func anExport(t *testing.T, change ...func(*transfer.Grant)) (folder string) {
	t.Helper()
	g := NewWithT(t)
	grant, key := aMove(t)
	for _, f := range change {
		f(&grant)
	}
	sealed, err := transfer.Seal(grant, key.Public(), transfer.Address{Namespace: grant.Source.Namespace, Name: grant.Source.Name, CredentialUID: grant.Source.CredentialUID, Request: "now"})
	g.Expect(err).NotTo(HaveOccurred())
	private, err := key.Reveal()
	g.Expect(err).NotTo(HaveOccurred())
	return writeAll(t, map[string][]byte{"export": append(sealed, '\n'), "key": []byte(private + "\n")})
}

// answersExport plays an operator that exports a grant.
func answersExport(t *testing.T, c *v1alpha1.SpacesCredential) {
	t.Helper()
	asks := func(seen client.Object) bool {
		return seen.GetAnnotations()[v1alpha1.AnnotationExportRequestedAt] == asked
	}
	playOperator(t, &v1alpha1.SpacesCredentialList{}, asks, c, func(acted *v1alpha1.SpacesCredential) {
		to, err := transfer.ParsePublicKey(acted.Annotations[v1alpha1.AnnotationExportTo])
		if err != nil {
			t.Error(err)
			return
		}
		grant, _ := aMove(t)
		grant.Source.Namespace, grant.Source.CredentialUID = acted.Namespace, acted.UID
		sealed, err := transfer.Seal(grant, to, transfer.Address{Namespace: acted.Namespace, Name: acted.Name, CredentialUID: acted.UID, Request: asked})
		if err != nil {
			t.Error(err)
			return
		}
		answer := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: acted.Namespace, Name: acted.ExportSecretName()},
			Type: v1alpha1.SecretTypeGrantExport, Data: map[string][]byte{v1alpha1.ExportKey: sealed}}
		if err := admin.Create(context.Background(), answer); err != nil {
			t.Error(err)
		}
		acted.Status.LastHandledExportRequest = asked
		acted.Status.Conditions[3].Status, acted.Status.Conditions[3].Reason = metav1.ConditionFalse, v1alpha1.ReasonExported
	})
}

func TestAKeyIsMadeForAnImport(t *testing.T) {
	g, s := NewWithT(t), newSession()
	path := filepath.Join(t.TempDir(), "the key")
	g.Expect(run(t.Context(), []string{"import", "--new-key", path}, s.tool)).To(Equal(exitDone), s.err.String())
	info, err := os.Stat(path)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
	content, err := os.ReadFile(path)
	g.Expect(err).NotTo(HaveOccurred())
	key, err := transfer.ParsePrivateKey(string(content))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.out.String()).To(Equal(key.Public().String()+"\n"), "standard output is the public key alone")
	g.Expect(s.err.String()).To(Equal("The private key is in '" + path + "': keep it there, and delete it after the import.\n" +
		"Its ID is " + key.Public().ID() + ".\nExport to this public key in the other cluster:\n"))
	g.Expect(s.out.String() + s.err.String()).NotTo(ContainSubstring(strings.TrimSpace(string(content))))

	again := newSession()
	g.Expect(run(t.Context(), []string{"import", "--new-key", path}, again.tool)).To(Equal(exitFailed))
	g.Expect(again.err.String()).To(ContainSubstring("file exists"))
	g.Expect(os.ReadFile(path)).To(Equal(content))
}

func TestAnExportIsAskedForAndWaitedFor(t *testing.T) {
	for sentence, c := range map[string]struct {
		namespace string
		toFile    bool
		typed     string
	}{
		"into a file":               {"export-file", true, ""},
		"to standard output":        {"export-out", false, ""},
		"after a person has agreed": {"export-asked", true, "yes\n"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			_, key := aMove(t)
			object := create(t, credential(t, withPassword, newNamespace(t, c.namespace), published))
			answersExport(t, object)
			path := filepath.Join(t.TempDir(), "out")
			arguments := []string{"export", object.Name, "--to=" + key.Public().String()}
			if c.toFile {
				arguments = append(arguments, "--file="+path)
			}
			if c.typed == "" {
				arguments = append(arguments, "--yes")
			}
			s.tool.terminal = func() bool { return c.typed != "" }
			s.tool.In = strings.NewReader(c.typed)
			g.Expect(s.run(t.Context(), object.Namespace, arguments...)).To(Equal(exitDone), s.err.String())
			content := s.out.Bytes()
			file := "FILE"
			if c.toFile {
				g.Expect(s.out.String()).To(BeEmpty())
				info, err := os.Stat(path)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
				content, err = os.ReadFile(path)
				g.Expect(err).NotTo(HaveOccurred())
				file = path
			}
			envelope, err := transfer.ReadEnvelope(content)
			g.Expect(err).NotTo(HaveOccurred())
			grant, err := envelope.Open(key)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(grant.RefreshToken.Reveal()).To(Equal(theSeed))
			g.Expect(strings.Contains(s.err.String(), "It is not renewed here afterwards. [y/N] ")).To(Equal(c.typed != ""))
			g.Expect(s.err.String()).To(HaveSuffix("Waiting for the operator to export the grant of meeting-bot (at most 1m0s) ...\n" +
				"The grant of meeting-bot is exported, sealed to the key\n  " + key.Public().ID() + "\n" +
				"The operator here neither renews nor revokes it any more.\n" +
				"Its published token expires in 52m (2026-11-23T12:52:00Z).\n" +
				"Import it in the other cluster, once and nowhere else:\n  kubectl spaces import " + file + " --key KEYFILE\n" +
				"When that is done, delete it here, which revokes nothing:\n  kubectl delete spcred meeting-bot -n " + c.namespace + "\n"))
			for line := range strings.Lines(s.err.String()) {
				line = strings.TrimPrefix(line, "Export the grant of meeting-bot? It is not renewed here afterwards. [y/N] ") // and what a person types
				g.Expect(len(line) <= 80 || strings.Contains(line, path)).To(BeTrue(), "a line of a terminal has 80 columns: "+line)
			}
		})
	}
}

func TestAnExportThatIsRefusedSaysWhy(t *testing.T) {
	g, s := NewWithT(t), newSession()
	_, key := aMove(t)
	object := create(t, credential(t, withPassword, newNamespace(t, "export-refused"), published))
	playOperator(t, &v1alpha1.SpacesCredentialList{}, annotated(v1alpha1.AnnotationExportRequestedAt), object, func(acted *v1alpha1.SpacesCredential) {
		acted.Status.LastHandledExportRequest = asked
		acted.Status.Conditions[3].Message += " " + v1alpha1.ExportRefused + " this operator does not allow it."
	})
	g.Expect(s.run(t.Context(), object.Namespace, "export", object.Name, "--yes", "--to="+key.Public().String(), "--lost=abc")).To(Equal(exitFailed))
	g.Expect(s.err.String()).To(HaveSuffix("error: the export was refused: this operator does not allow it.\n"))
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(object), object)).To(Succeed())
	g.Expect(object.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationExportLost, "abc"))
}

func TestAnExportThatWaitsSaysForWhat(t *testing.T) {
	g, s := NewWithT(t), newSession()
	_, key := aMove(t)
	object := create(t, credential(t, withPassword, newNamespace(t, "export-waits"), published, func(c *v1alpha1.SpacesCredential) {
		c.Status.Conditions[3].Message = v1alpha1.ExportWaits + " the service has to answer first."
	}))
	ended := make(chan int, 1)
	go func() {
		ended <- s.run(t.Context(), object.Namespace, "export", object.Name, "--yes", "--timeout=7s", "--to="+key.Public().String())
	}()
	passTime(t, s, ended, 7*time.Second)
	g.Expect(s.err.String()).To(HaveSuffix("error: the grant is not exported after 7s: Renewed: " + v1alpha1.ExportWaits + " the service has to answer first.\n"))
	g.Expect(s.out.String()).To(BeEmpty())
}

func TestWhatKeepsAnExportFromBeginning(t *testing.T) {
	_, key := aMove(t)
	to := "--to=" + key.Public().String()
	there := writeAll(t, map[string][]byte{"there": nil})
	for sentence, c := range map[string]struct {
		namespace, source string
		edit              func(*v1alpha1.SpacesCredential)
		arguments         []string
		code              int
		says              string
	}{
		"no key":               {"export-no-key", withPassword, published, []string{"--yes"}, exitUsage, "give the importer's public key with --to"},
		"a key that is none":   {"export-bad-key", withPassword, published, []string{"--yes", "--to=x"}, exitUsage, "--to: it is no public key"},
		"nobody to agree":      {"export-nobody", withPassword, published, []string{to}, exitFailed, "give --yes to export without being asked"},
		"a file that is there": {"export-there", withPassword, published, []string{"--yes", to, "--file=" + filepath.Join(there, "there")}, exitFailed, "is there already, and is not overwritten"},
		"a guest":              {"export-guest", asGuest, published, []string{"--yes", to}, exitFailed, "a guest belongs to nobody"},
		"a suspended one":      {"export-suspended", withPassword, func(c *v1alpha1.SpacesCredential) { c.Spec.Suspend = true }, []string{"--yes", to}, exitFailed, "`kubectl spaces resume meeting-bot -n export-suspended` first"},
		"a file in no folder":  {"export-folder", withPassword, published, []string{"--yes", to, "--file=" + filepath.Join(there, "no", "file")}, exitFailed, "the grant is exported all the same: run the same command again"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			object := create(t, credential(t, c.source, newNamespace(t, c.namespace), c.edit))
			if sentence == "a file in no folder" {
				answersExport(t, object)
			}
			g.Expect(s.run(t.Context(), object.Namespace, append([]string{"export", object.Name}, c.arguments...)...)).To(Equal(c.code))
			g.Expect(s.err.String()).To(ContainSubstring(c.says))
			g.Expect(s.out.String()).To(BeEmpty())
			if sentence == "a file in no folder" {
				return
			}
			g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object.Annotations).NotTo(HaveKey(v1alpha1.AnnotationExportRequestedAt), "it was asked for")
		})
	}
}

// importArrives tells a Secret that hands a grant over.
func importArrives(seen client.Object) bool { return seen.GetName() == "meeting-bot-import" }

// takesImport plays an operator that uses an import, and keeps the Secret of it.
func takesImport(t *testing.T, object *v1alpha1.SpacesCredential) *corev1.Secret {
	t.Helper()
	handed := &corev1.Secret{}
	playOperator(t, &corev1.SecretList{}, func(seen client.Object) bool {
		if importArrives(seen) {
			seen.(*corev1.Secret).DeepCopyInto(handed)
		}
		return importArrives(seen)
	}, object, func(acted *v1alpha1.SpacesCredential) {
		acted.Status.Conditions = nil
		published(acted)
		acted.Status.Grant.ImportID = "0123456789abcdef01234567"
	})
	return handed
}

func expectNoImportLeft(t *testing.T, object *v1alpha1.SpacesCredential) {
	t.Helper()
	left := &corev1.Secret{}
	err := admin.Get(t.Context(), client.ObjectKey{Namespace: object.Namespace, Name: object.ImportSecretName()}, left)
	NewWithT(t).Expect(apierrors.IsNotFound(err)).To(BeTrue(), "the grant is left in the cluster")
}

func TestAnImportHandsTheGrantOverAndCleansUp(t *testing.T) {
	g, s := NewWithT(t), newSession()
	folder := anExport(t)
	object := create(t, credential(t, withCode, newNamespace(t, "import"), waitingFor(v1alpha1.ReasonAuthorizationPending, "A person has to sign in.", false), func(c *v1alpha1.SpacesCredential) {
		c.Spec.StateLabels = v1alpha1.Labels{"team": "a"}
	}))
	handed := takesImport(t, object)
	s.tool.terminal = func() bool { return true }
	s.tool.In = strings.NewReader("y\n")
	g.Expect(s.run(t.Context(), object.Namespace, "import", filepath.Join(folder, "export"), "--key="+filepath.Join(folder, "key"))).To(Equal(exitDone), s.err.String())
	g.Expect(s.err.String()).To(Equal("The grant of team-a/meeting-bot, exported 60s ago (2026-11-23T11:59:00Z):\n" +
		"  user      bot@example.test\n  client    6702b20d\n  accounts  https://accounts.example.test\n  scope     email spaces\n" +
		"Is it the one that meeting-bot is to have? [y/N] Waiting for the operator to renew the grant (at most 2m0s) ...\n"))
	g.Expect(s.out.String()).To(Equal("meeting-bot has the grant of team-a/meeting-bot.\nIts token expires in 52m (2026-11-23T12:52:00Z), and the operator renews it before.\n" +
		"Import it nowhere else. Delete the files, and team-a/meeting-bot at the source.\n"))
	g.Expect(handed.Type).To(BeEquivalentTo(v1alpha1.SecretTypeGrantImport))
	g.Expect(handed.Labels).To(Equal(map[string]string{"team": "a"}))
	g.Expect(handed.Annotations).To(Equal(map[string]string{v1alpha1.AnnotationCredential: "meeting-bot", v1alpha1.AnnotationCredentialUID: string(object.UID)}))
	grant, err := transfer.ReadGrant(handed.Data[v1alpha1.ImportKey])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(grant.RefreshToken.Reveal()).To(Equal(theSeed))
	g.Expect(s.out.String() + s.err.String()).NotTo(ContainSubstring(theSeed))
	expectNoImportLeft(t, object)
}

func TestAnImportThatIsRefusedSaysWhyAndCleansUp(t *testing.T) {
	g, s := NewWithT(t), newSession()
	folder := anExport(t)
	object := create(t, credential(t, withRefreshToken, newNamespace(t, "import-refused"), waitingFor(v1alpha1.ReasonWaitingForInput, "There is no seed.", false), named("another")))
	playOperator(t, &corev1.SecretList{}, func(seen client.Object) bool { return seen.GetName() == "another-import" }, object, func(acted *v1alpha1.SpacesCredential) {
		acted.Status.Conditions = nil
		waitingFor(v1alpha1.ReasonGrantRejected, "The service refused the grant that was imported.", true)(acted)
	})
	g.Expect(s.run(t.Context(), object.Namespace, "import", filepath.Join(folder, "export"), "--key="+filepath.Join(folder, "key"), "--yes", "--name=another")).To(Equal(exitFailed))
	g.Expect(s.err.String()).To(HaveSuffix("error: the import came to nothing: GrantRejected: The service refused the grant that was imported.\n"))
	expectNoImportLeft(t, object)
}

func TestCtrlCLeavesNoImportBehind(t *testing.T) {
	g, s := NewWithT(t), newSession()
	folder := anExport(t)
	object := create(t, credential(t, withRefreshToken, newNamespace(t, "import-interrupted"), published))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- s.run(ctx, object.Namespace, "import", filepath.Join(folder, "export"), "--key="+filepath.Join(folder, "key"), "--yes")
	}()
	g.Eventually(s.clock.HasWaiters).WithTimeout(patience).Should(BeTrue())
	cancel()
	g.Eventually(ended).WithTimeout(patience).Should(Receive(Equal(exitFailed)))
	g.Expect(s.err.String()).To(HaveSuffix("error: interrupted\n"))
	expectNoImportLeft(t, object)
}

func TestAnImportIntoASuspendedObjectWaitsThere(t *testing.T) {
	g, s := NewWithT(t), newSession()
	folder := anExport(t)
	object := create(t, credential(t, withPassword, newNamespace(t, "import-suspended"), func(c *v1alpha1.SpacesCredential) { c.Spec.Suspend = true }))
	g.Expect(s.run(t.Context(), object.Namespace, "import", filepath.Join(folder, "export"), "--key="+filepath.Join(folder, "key"), "--yes")).To(Equal(exitDone), s.err.String())
	g.Expect(s.out.String()).To(Equal("The import waits in Secret \"meeting-bot-import\", because meeting-bot is suspended.\n" +
		"To go on: `kubectl spaces resume meeting-bot -n import-suspended`\nWhen it is Ready, delete the Secret: `kubectl delete secret meeting-bot-import -n import-suspended`\n"))
	// What is there is not written over.
	again := newSession()
	g.Expect(again.run(t.Context(), object.Namespace, "import", filepath.Join(folder, "export"), "--key="+filepath.Join(folder, "key"), "--yes")).To(Equal(exitFailed))
	g.Expect(again.err.String()).To(ContainSubstring("is there already, of another import or somebody else's: see what it is, then `kubectl delete secret meeting-bot-import -n import-suspended`"))
}

func TestWhatKeepsAnImportFromBeginning(t *testing.T) {
	foreign := anExport(t)
	for sentence, c := range map[string]struct {
		namespace, source string
		edit              func(*v1alpha1.SpacesCredential)
		change            func(*transfer.Grant)
		files             func(folder string)
		arguments         func(folder string) []string
		code              int
		says              string
	}{
		"no key":                {namespace: "import-no-key", arguments: func(f string) []string { return []string{filepath.Join(f, "export")} }, code: exitUsage, says: "give the file with the private key with --key"},
		"no file":               {namespace: "import-no-file", arguments: func(string) []string { return nil }, code: exitUsage, says: "give one file that kubectl spaces export wrote"},
		"a key and a new one":   {namespace: "import-two", arguments: func(string) []string { return []string{"--new-key=x", "--key=y"} }, code: exitUsage, says: "give it alone"},
		"a file that is gone":   {namespace: "import-gone", files: func(f string) { _ = os.Remove(filepath.Join(f, "export")) }, code: exitFailed, says: "the file cannot be read: "},
		"a file that is none":   {namespace: "import-none", files: func(f string) { _ = os.WriteFile(filepath.Join(f, "export"), []byte("x"), 0o600) }, code: exitFailed, says: "is nothing that kubectl spaces export wrote"},
		"a key that is none":    {namespace: "import-bad-key", files: func(f string) { _ = os.WriteFile(filepath.Join(f, "key"), []byte("x"), 0o600) }, code: exitFailed, says: "it is no private key"},
		"the key of another":    {namespace: "import-other-key", files: func(f string) { _ = os.Rename(filepath.Join(foreign, "key"), filepath.Join(f, "key")) }, code: exitFailed, says: "the export is for the key "},
		"a guest":               {namespace: "import-guest", source: asGuest, code: exitFailed, says: "it makes its own guests, and takes no grant"},
		"another client":        {namespace: "import-client", change: func(g *transfer.Grant) { g.ClientID = "another" }, code: exitFailed, says: "the grant belongs to the client another, and meeting-bot signs in as 6702b20d"},
		"a grant that is there": {namespace: "import-again", edit: func(c *v1alpha1.SpacesCredential) { c.Status.Grant.ImportID = "0123456789abcdef01234567" }, code: exitFailed, says: "meeting-bot has this grant already"},
		"nobody to compare": {namespace: "import-nobody", arguments: func(f string) []string {
			return []string{filepath.Join(f, "export"), "--key=" + filepath.Join(f, "key")}
		}, code: exitFailed, says: "give --yes to import it without being asked"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			if c.source == "" {
				c.source = withPassword
			}
			if c.edit == nil {
				c.edit = func(*v1alpha1.SpacesCredential) {}
			}
			if c.change == nil {
				c.change = func(*transfer.Grant) {}
			}
			folder := anExport(t, c.change)
			if c.files != nil {
				c.files(folder)
			}
			arguments := []string{filepath.Join(folder, "export"), "--key=" + filepath.Join(folder, "key"), "--yes"}
			if c.arguments != nil {
				arguments = c.arguments(folder)
			}
			object := create(t, credential(t, c.source, newNamespace(t, c.namespace), published, c.edit))
			g.Expect(s.run(t.Context(), object.Namespace, append([]string{"import"}, arguments...)...)).To(Equal(c.code))
			g.Expect(s.err.String()).To(ContainSubstring(c.says))
			g.Expect(s.out.String() + s.err.String()).NotTo(ContainSubstring(theSeed))
			expectNoImportLeft(t, object)
		})
	}
}

// What a policy says is repeated while it has seen nothing that is worth anything.
func TestAnImportThatAPolicyRefusesShowsItNoGrant(t *testing.T) {
	g, s := NewWithT(t), newSession()
	folder := anExport(t)
	object := create(t, credential(t, withPassword, newNamespace(t, "import-policy"), published))
	enforce(t, object.Namespace, admissionv1.Validation{Expression: hasTeam, MessageExpression: "'no label on ' + string(object.data['grant.json'])"})
	g.Expect(s.run(t.Context(), object.Namespace, "import", filepath.Join(folder, "export"), "--key="+filepath.Join(folder, "key"), "--yes")).To(Equal(exitFailed))
	g.Expect(s.err.String()).To(And(ContainSubstring("no label on e30="), ContainSubstring("if a policy asks for labels, put them into spec.stateLabels")))
	g.Expect(bytes.Contains(s.err.Bytes(), []byte(theSeed))).To(BeFalse())
	expectNoImportLeft(t, object)
}
