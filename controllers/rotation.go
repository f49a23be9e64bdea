package controllers

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// rotations remembers whether a service ends the access token of before when it rotates the
// refresh token. It is looked at once for each environment and life of a process, where a
// credential asks for UserProfile anyway: workloads that mount a file hold the old token for a
// minute or two.
type rotations struct {
	mu sync.Mutex
	// survives tells of each environment that was looked at.
	survives map[string]bool
	// looked is the claim whose answer was looked at last, of each credential.
	looked map[types.NamespacedName]int64
}

// isWanted tells whether to look, and notes that somebody does.
func (r *rotations) isWanted(environment string, key types.NamespacedName, claim int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, isKnown := r.survives[environment]; isKnown || r.looked[key] == claim {
		return false
	}
	if r.looked == nil {
		r.looked = map[types.NamespacedName]int64{}
	}
	r.looked[key] = claim
	return true
}

// found notes what a look has shown.
func (r *rotations) found(environment string, survives bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.survives == nil {
		r.survives = map[string]bool{}
	}
	r.survives[environment] = survives
	clear(r.looked)
}

// ends tells that a service is known to end the old token.
func (r *rotations) ends(environment string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	survives, isKnown := r.survives[environment]
	return isKnown && !survives
}

// former is the token that the rotated one took the place of, or nil where there is none that
// still has a life of its own.
func (s *scope) former() *grantstate.Token {
	grant, before := s.document.Grant(), s.document.Publishable()
	switch {
	case grant == nil, before == nil, grant.Rotations == 0, grant.Token.ObtainedBy != v1alpha1.GrantTypeRefreshToken,
		before.ClientID != grant.ClientID, !s.now.Before(before.Token.ExpirationTime):
		return nil
	}
	return &before.Token
}

// lookAtFormer asks for the profile with the token of before. Whatever comes of it, the new
// one is verified in the next pass.
func (r *Reconciler) lookAtFormer(ctx context.Context, client *spacesauth.Client, former *grantstate.Token, turn *turn) outcome {
	_, err := client.UserProfile(ctx, former.TokenType, former.AccessToken.Secret)
	turn.made(err)
	environment := client.Environment().Name
	var refused *spacesauth.Error
	switch {
	case err == nil:
		r.rotations.found(environment, true)
		r.Metrics.OldTokenSurvives(environment, true)
	case errors.As(err, &refused) && refused.StatusCode == http.StatusUnauthorized:
		r.rotations.found(environment, false)
		r.Metrics.OldTokenSurvives(environment, false)
	}
	return pacedUntil(turn.began.Add(callPause))
}
