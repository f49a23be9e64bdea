// Package greeter is an application that calls Avaya Spaces with the token of a SpacesCredential. It is the
// example of a module that tests itself against fakespaces and the operator; the suite is
// greeter_test.go.
package greeter

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Greeter greets whoever a token belongs to.
type Greeter struct {
	// Reader reads the published Secret, each time: the token in it changes.
	Reader client.Reader
	// Secret names it.
	Secret client.ObjectKey
	// HTTP makes the calls.
	HTTP *http.Client
}

// Greet asks the service for the name of the bot.
func (g *Greeter) Greet(ctx context.Context) (string, error) {
	var secret corev1.Secret
	if err := g.Reader.Get(ctx, g.Secret, &secret); err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, string(secret.Data["api_url"])+"/api/users/me", http.NoBody)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", string(secret.Data["authorization"]))
	response, err := g.HTTP.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }() // it is read to its end, or of no use
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the service answers %s", response.Status)
	}
	var profile struct {
		Name string `json:"displayname"`
	}
	if err := json.NewDecoder(response.Body).Decode(&profile); err != nil {
		return "", err
	}
	return "Hello, " + profile.Name, nil
}
