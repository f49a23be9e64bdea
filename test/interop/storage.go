package interop

import (
	"context"
	"errors"
	"sync"

	"github.com/ory/fosite"
	"github.com/ory/fosite/storage"
)

// Fault is a way in which what stands behind a server fails.
type Fault string

const (
	// Conflict is a transaction that another one was faster than: nothing was changed.
	Conflict Fault = "conflict"
	// ClientsAway is a store of clients that does not answer.
	ClientsAway Fault = "clients away"
	// GrantsAway is a store of users, codes and tokens that does not answer.
	GrantsAway Fault = "grants away"
)

// errAway is what a store says that does not answer.
var errAway = errors.New("the store is away")

// store is fosite's memory, which fails at will and counts grants.
type store struct {
	*storage.MemoryStore

	mutex sync.Mutex
	fault Fault
	// living are the grants with a refresh token that works, by the ID of their first request.
	living map[string]bool
	// rotations counts the refresh tokens that were replaced.
	rotations int
}

func newStore() *store {
	return &store{MemoryStore: storage.NewMemoryStore(), living: map[string]bool{}}
}

// fail has everything fail so, until it is called with "".
func (s *store) fail(fault Fault) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.fault = fault
}

func (s *store) fails(fault Fault) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.fault == fault
}

func (s *store) note(change func()) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	change()
}

// GetClient implements fosite.ClientManager.
func (s *store) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	if s.fails(ClientsAway) {
		return nil, errAway
	}
	return s.MemoryStore.GetClient(ctx, id)
}

// Authenticate implements the storage of the password grant.
func (s *store) Authenticate(ctx context.Context, name, secret string) (string, error) {
	if s.fails(GrantsAway) {
		return "", errAway
	}
	return s.MemoryStore.Authenticate(ctx, name, secret)
}

// GetAuthorizeCodeSession implements the storage of codes.
func (s *store) GetAuthorizeCodeSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	if s.fails(GrantsAway) {
		return nil, errAway
	}
	return s.MemoryStore.GetAuthorizeCodeSession(ctx, signature, session)
}

// GetRefreshTokenSession implements the storage of refresh tokens.
func (s *store) GetRefreshTokenSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	if s.fails(GrantsAway) {
		return nil, errAway
	}
	return s.MemoryStore.GetRefreshTokenSession(ctx, signature, session)
}

// CreateRefreshTokenSession implements the storage of refresh tokens.
func (s *store) CreateRefreshTokenSession(ctx context.Context, signature, accessSignature string, request fosite.Requester) error {
	s.note(func() { s.living[request.GetID()] = true })
	return s.MemoryStore.CreateRefreshTokenSession(ctx, signature, accessSignature, request)
}

// RotateRefreshToken implements the storage of refresh tokens.
func (s *store) RotateRefreshToken(ctx context.Context, requestID, signature string) error {
	if s.fails(Conflict) {
		return fosite.ErrSerializationFailure
	}
	s.note(func() { s.rotations++ })
	return s.MemoryStore.RotateRefreshToken(ctx, requestID, signature)
}

// RevokeRefreshToken implements the storage of revocations.
func (s *store) RevokeRefreshToken(ctx context.Context, requestID string) error {
	s.note(func() { delete(s.living, requestID) })
	return s.MemoryStore.RevokeRefreshToken(ctx, requestID)
}
