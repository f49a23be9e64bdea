package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// profilePath tells whose token it is (vendor page users, "me").
	profilePath = "/api/users/me"
	// profileWait bounds the call.
	profileWait = 15 * time.Second
	// largestProfile bounds the answer; the documented one has a few KiB.
	largestProfile = 1 << 20
	// settling is how long the service may need to know a new token everywhere.
	settling = time.Minute
)

// person is what this plugin reads of a profile, and all that it prints.
type person struct {
	Username    string `json:"username"`
	DisplayName string `json:"displayname"`
	ID          string `json:"_id"`
	AccountsID  string `json:"ndbid"`
}

func (t *tool) whoamiCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "whoami NAME",
		Short: "Ask the Spaces API whose token is published",
		Example: `  kubectl spaces whoami meeting-bot

  kubectl spaces whoami meeting-bot -o json

  # Where the service has a certificate of your own authority
  kubectl spaces whoami meeting-bot --ca-file ca.pem`,
		Args:              oneName,
		ValidArgsFunction: t.names(),
	}
	form, network := addForm(command, formJSON, formYAML), addNetwork(command)
	command.RunE = func(command *cobra.Command, arguments []string) error {
		return t.whoami(command.Context(), arguments[0], network, form)
	}
	return command
}

func (t *tool) whoami(ctx context.Context, name string, network *network, form *form) error {
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	credential, err := cluster.credential(ctx, name)
	if err != nil {
		return err
	}
	secret, err := cluster.publishedSecret(ctx, credential)
	if err != nil {
		return err
	}
	if network.caFile == "" {
		operators, _ := cluster.installations(ctx) // who may not look gives --ca-file
		network.authorities = authoritiesOf(ctx, operators, credential.EffectiveEnvironment())
	}
	found, err := t.profile(ctx, secret, network, t.isFresh(credential))
	if err != nil {
		return err
	}
	return form.printPerson(found, t.Out)
}

// isFresh tells whether the service may not know the token yet.
func (t *tool) isFresh(credential *v1alpha1.SpacesCredential) bool {
	token := credential.Status.Token
	return token != nil && token.IssueTime != nil && t.clock.Now().Sub(token.IssueTime.Time) < settling
}

// profile calls the Spaces API with the published token.
func (t *tool) profile(ctx context.Context, secret *corev1.Secret, network *network, fresh bool) (*person, error) {
	address, err := profileURL(string(secret.Data[v1alpha1.KeyAPIURL]))
	if err != nil {
		return nil, fmt.Errorf("the api_url in Secret %q cannot be used: %w", secret.Name, err)
	}
	client, err := network.client(t.http)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, profileWait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", string(secret.Data[v1alpha1.KeyAuthorization]))
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "kubectl-spaces/"+t.version)
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the Spaces API at %s did not answer: %w%s", address.Host, withoutURL(err), network.hint(err))
	}
	defer answer.Body.Close()
	return readProfile(answer, fresh)
}

// profileURL is where a profile is asked for. A token goes by https only, but to this
// machine itself.
func profileURL(base string) (*url.URL, error) {
	address, err := safeURL(base)
	if err != nil {
		return nil, err
	}
	address.Path = strings.TrimSuffix(address.Path, "/") + profilePath
	address.RawPath, address.RawQuery = "", ""
	return address, nil
}

// safeURL reads an address that secrets may be sent to: https, or http to a loopback
// host. The text itself is in no error.
func safeURL(text string) (*url.URL, error) {
	address, err := url.Parse(text)
	switch {
	case err != nil || address.Host == "":
		return nil, errors.New("it is no address")
	case address.User != nil:
		return nil, errors.New("it names a user")
	case address.Scheme == "https", address.Scheme == "http" && isLoopback(address.Hostname()):
		return address, nil
	}
	return nil, errors.New("it does not begin with https://")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// withoutURL is the cause of a failed call alone.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// refuseRedirect hands a redirect back as the answer: a token follows none.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func readProfile(answer *http.Response, fresh bool) (*person, error) {
	switch {
	case answer.StatusCode == http.StatusUnauthorized && fresh:
		return nil, errors.New("the token is not accepted; it is younger than a minute and the service may not know it yet, so try again")
	case answer.StatusCode == http.StatusUnauthorized:
		return nil, errors.New("the token is not accepted")
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the Spaces API answered with status %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, largestProfile+1))
	if err != nil {
		return nil, errors.New("the answer of the Spaces API broke off")
	}
	found := &person{}
	if len(body) > largestProfile || json.Unmarshal(body, found) != nil {
		return nil, errors.New("the answer of the Spaces API cannot be read")
	}
	return found, nil
}

func (f *form) printPerson(found *person, out io.Writer) error {
	switch f.value {
	case formJSON:
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "    ")
		return encoder.Encode(found)
	case formYAML:
		text, err := yaml.Marshal(found)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	}
	block := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(block, "User name:\t%s\nDisplay name:\t%s\nSpaces ID:\t%s\nAccounts ID:\t%s\n",
		orNone(found.Username), orNone(found.DisplayName), orNone(found.ID), orNone(found.AccountsID))
	return block.Flush()
}
