package peers

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

var errZitadelAbsent = errors.New("there is no such record")

// zitadelStorage stores the library's records in maps. The library encrypts
// access tokens, which contain the ID of a record here.
type zitadelStorage struct {
	key zitadelKey

	mu       sync.RWMutex
	requests map[string]*zitadelRequest // by id
	codes    map[string]string          // ids of requests
	access   map[string]*zitadelToken   // by id
	refresh  map[string]*zitadelToken   // by token
}

// A zitadelRequest is an authorization request, from the redirect to the
// sign-in page until its code is redeemed.
type zitadelRequest struct {
	id, code string
	asked    oidc.AuthRequest
	user     string
	at       time.Time
}

func (q *zitadelRequest) GetID() string                      { return q.id }
func (q *zitadelRequest) GetACR() string                     { return "" }
func (q *zitadelRequest) GetAMR() []string                   { return []string{"pwd"} }
func (q *zitadelRequest) GetAudience() []string              { return []string{q.asked.ClientID} }
func (q *zitadelRequest) GetAuthTime() time.Time             { return q.at }
func (q *zitadelRequest) GetClientID() string                { return q.asked.ClientID }
func (q *zitadelRequest) GetNonce() string                   { return q.asked.Nonce }
func (q *zitadelRequest) GetRedirectURI() string             { return q.asked.RedirectURI }
func (q *zitadelRequest) GetResponseType() oidc.ResponseType { return q.asked.ResponseType }
func (q *zitadelRequest) GetResponseMode() oidc.ResponseMode { return q.asked.ResponseMode }
func (q *zitadelRequest) GetScopes() []string                { return q.asked.Scopes }
func (q *zitadelRequest) GetState() string                   { return q.asked.State }
func (q *zitadelRequest) GetSubject() string                 { return q.user }
func (q *zitadelRequest) Done() bool                         { return q.user != "" }

func (q *zitadelRequest) GetCodeChallenge() *oidc.CodeChallenge {
	if q.asked.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: q.asked.CodeChallenge, Method: q.asked.CodeChallengeMethod}
}

// A zitadelToken is an access or a refresh token.
type zitadelToken struct {
	client, user string
	scopes       []string
	at           time.Time // of the sign-in
	expires      time.Time
	access       string // for a refresh token: the ID of its access token
}

func (t *zitadelToken) GetAMR() []string       { return []string{"pwd"} }
func (t *zitadelToken) GetAudience() []string  { return []string{t.client} }
func (t *zitadelToken) GetAuthTime() time.Time { return t.at }
func (t *zitadelToken) GetClientID() string    { return t.client }
func (t *zitadelToken) GetScopes() []string    { return t.scopes }
func (t *zitadelToken) GetSubject() string     { return t.user }

// zitadelRefresh is a refresh token in use. Its scopes may be narrowed for this
// use.
type zitadelRefresh struct{ zitadelToken }

func (t *zitadelRefresh) SetCurrentScopes(scopes []string) { t.scopes = scopes }

// A zitadelKey signs ID tokens.
type zitadelKey struct {
	id      string
	private *rsa.PrivateKey
}

func (k zitadelKey) ID() string                                  { return k.id }
func (k zitadelKey) Key() any                                    { return k.private }
func (k zitadelKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }

type zitadelPublicKey struct{ zitadelKey }

func (k zitadelPublicKey) Key() any                           { return &k.private.PublicKey }
func (k zitadelPublicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k zitadelPublicKey) Use() string                        { return "sig" }

func newZitadelStorage() (*zitadelStorage, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	return &zitadelStorage{
		key: zitadelKey{uuid.NewString(), private}, requests: map[string]*zitadelRequest{}, codes: map[string]string{},
		access: map[string]*zitadelToken{}, refresh: map[string]*zitadelToken{},
	}, err
}

// CreateAuthRequest records who is signed in, which the sign-in page would
// otherwise do.
func (s *zitadelStorage) CreateAuthRequest(ctx context.Context, asked *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	id, _ := ctx.Value(zitadelUser{}).(string)
	q := &zitadelRequest{id: uuid.NewString(), asked: *asked, user: id, at: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[q.id] = q
	return q, nil
}

func (s *zitadelStorage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if q := s.requests[id]; q != nil {
		return q, nil
	}
	return nil, errZitadelAbsent
}

func (s *zitadelStorage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if q := s.requests[s.codes[code]]; q != nil {
		return q, nil
	}
	return nil, errZitadelAbsent
}

func (s *zitadelStorage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.requests[id]
	if q == nil {
		return errZitadelAbsent
	}
	q.code = code
	s.codes[code] = id
	return nil
}

func (s *zitadelStorage) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.requests[id]; q != nil {
		delete(s.codes, q.code)
		delete(s.requests, id)
	}
	return nil
}

func (s *zitadelStorage) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	return "", time.Time{}, errors.New("every client here has refresh tokens")
}

func (s *zitadelStorage) CreateAccessAndRefreshTokens(_ context.Context, q op.TokenRequest, presented string) (accessID, refresh string, expires time.Time, err error) {
	signIn, ok := q.(interface {
		GetClientID() string
		GetAuthTime() time.Time
	})
	if !ok {
		return "", "", time.Time{}, errors.New("this grant type is not offered")
	}
	now := time.Now()
	accessID, refresh = uuid.NewString(), uuid.NewString()
	access := &zitadelToken{client: signIn.GetClientID(), user: q.GetSubject(), scopes: q.GetScopes(), at: signIn.GetAuthTime(), expires: now.Add(5 * time.Minute)}
	next := *access
	next.expires, next.access = now.Add(5*time.Hour), accessID
	s.mu.Lock()
	defer s.mu.Unlock()
	if presented != "" {
		old := s.refresh[presented]
		if old == nil {
			return "", "", time.Time{}, op.ErrInvalidRefreshToken
		}
		next.scopes = old.scopes
		delete(s.refresh, presented)
		delete(s.access, old.access)
	}
	s.access[accessID] = access
	s.refresh[refresh] = &next
	return accessID, refresh, access.expires, nil
}

func (s *zitadelStorage) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.refresh[token]
	if t == nil || time.Now().After(t.expires) {
		return nil, op.ErrInvalidRefreshToken
	}
	return &zitadelRefresh{*t}, nil
}

func (s *zitadelStorage) GetRefreshTokenInfo(_ context.Context, _, token string) (userID, id string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.refresh[token]
	if t == nil {
		return "", "", op.ErrInvalidRefreshToken
	}
	return t.user, token, nil
}

func (s *zitadelStorage) RevokeToken(_ context.Context, token, _, _ string) *oidc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.refresh[token]; t != nil {
		delete(s.access, t.access)
		delete(s.refresh, token)
	}
	delete(s.access, token)
	return nil
}

func (s *zitadelStorage) TerminateSession(context.Context, string, string) error {
	return errors.New("signing out is not offered")
}

func (s *zitadelStorage) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

func (s *zitadelStorage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (s *zitadelStorage) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{zitadelPublicKey{s.key}}, nil
}

func (s *zitadelStorage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != clientID {
		return nil, errZitadelAbsent
	}
	return zitadelClient{}, nil
}

func (s *zitadelStorage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if id != clientID || secret != clientSecret {
		return errors.New("wrong client or secret")
	}
	return nil
}

func (s *zitadelStorage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetUserinfoFromRequest is for the ID token.
func (s *zitadelStorage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, q op.IDTokenRequest, scopes []string) error {
	return setZitadelUser(info, q.GetSubject(), scopes)
}

func (s *zitadelStorage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, id, _, _ string) error {
	t, err := s.token(id)
	if err != nil {
		return err
	}
	return setZitadelUser(info, t.user, t.scopes)
}

func (s *zitadelStorage) SetIntrospectionFromToken(_ context.Context, answer *oidc.IntrospectionResponse, id, _, client string) error {
	t, err := s.token(id)
	if err != nil {
		return err
	}
	if t.client != client {
		return errors.New("the token belongs to another client")
	}
	answer.Expiration, answer.Scope, answer.ClientID, answer.Subject = oidc.FromTime(t.expires), t.scopes, t.client, t.user
	return nil
}

func (s *zitadelStorage) token(id string) (*zitadelToken, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.access[id]
	if t == nil || time.Now().After(t.expires) {
		return nil, errZitadelAbsent
	}
	return t, nil
}

func setZitadelUser(info *oidc.UserInfo, id string, scopes []string) error {
	u, ok := users[id]
	if !ok {
		return errZitadelAbsent
	}
	info.Subject = u.Subject
	if slices.Contains(scopes, "profile") {
		info.Name = u.Name
	}
	if slices.Contains(scopes, "email") {
		info.Email = u.Email
	}
	return nil
}

func (s *zitadelStorage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

func (s *zitadelStorage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errZitadelAbsent
}

func (s *zitadelStorage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errors.New("this grant type is not offered")
}

func (s *zitadelStorage) Health(context.Context) error { return nil }
