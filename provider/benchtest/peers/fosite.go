package peers

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"sync"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// newFosite is github.com/ory/fosite as in its README: everything enabled, its
// memory store, and the client's secret hashed with bcrypt at its default cost.
func newFosite() (*benchtest.Stack, error) {
	config := fositeConfig()
	hash, err := (&fosite.BCrypt{Config: config}).Hash(context.Background(), []byte(clientSecret))
	if err != nil {
		return nil, err
	}
	s, err := fositeStack(config, newFositeStorage(), &fosite.DefaultClient{ID: clientID, Secret: hash})
	if err != nil {
		return nil, err
	}
	s.Name, s.ClientSecret, s.Introspect, s.Slow = "fosite", clientSecret, "/introspect", true
	return s, nil
}

// newFositePublic is the same with a client that has no secret, because bcrypt
// dominates everything else.
func newFositePublic() (*benchtest.Stack, error) {
	s, err := fositeStack(fositeConfig(), newFositeStorage(), &fosite.DefaultClient{ID: clientID, Public: true})
	if err != nil {
		return nil, err
	}
	s.Name = "fosite (public client)"
	return s, nil
}

// fositeConfig is the zero Config with the defaults that fosite would fill in
// at the first request, which it does without a lock.
func fositeConfig() *fosite.Config {
	return &fosite.Config{ScopeStrategy: fosite.WildcardScopeStrategy, AudienceMatchingStrategy: fosite.DefaultAudienceMatchingStrategy}
}

func fositeStack(config *fosite.Config, kept *fositeStorage, client *fosite.DefaultClient) (*benchtest.Stack, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	client.RedirectURIs = []string{callback}
	client.ResponseTypes = []string{"code"}
	client.GrantTypes = []string{"authorization_code", "refresh_token"}
	client.Scopes = []string{"profile", "email", "offline"}
	kept.Clients[clientID] = client

	config.GlobalSecret = make([]byte, 32)
	rand.Read(config.GlobalSecret) // It never fails; it would end the program.
	p := compose.ComposeAllEnabled(config, kept, key)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		ar, err := p.NewAuthorizeRequest(ctx, r)
		if err != nil {
			p.WriteAuthorizeError(ctx, w, ar, err)
			return
		}
		id := signedIn(r)
		if id == "" {
			p.WriteAuthorizeError(ctx, w, ar, fosite.ErrAccessDenied)
			return
		}
		for _, scope := range ar.GetRequestedScopes() {
			ar.GrantScope(scope)
		}
		response, err := p.NewAuthorizeResponse(ctx, ar, &fosite.DefaultSession{Subject: id})
		if err != nil {
			p.WriteAuthorizeError(ctx, w, ar, err)
			return
		}
		p.WriteAuthorizeResponse(ctx, w, ar, response)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		request, err := p.NewAccessRequest(ctx, r, new(fosite.DefaultSession))
		if err != nil {
			p.WriteAccessError(ctx, w, request, err)
			return
		}
		response, err := p.NewAccessResponse(ctx, request)
		if err != nil {
			p.WriteAccessError(ctx, w, request, err)
			return
		}
		p.WriteAccessResponse(ctx, w, request, response)
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		_, ar, err := p.IntrospectToken(ctx, fosite.AccessTokenFromRequest(r), fosite.AccessToken, new(fosite.DefaultSession), "profile")
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		writeUser(w, ar.GetSession().GetSubject())
	})
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		response, err := p.NewIntrospectionRequest(ctx, r, new(fosite.DefaultSession))
		if err != nil {
			p.WriteIntrospectionError(ctx, w, err)
			return
		}
		p.WriteIntrospectionResponse(ctx, w, response)
	})
	return &benchtest.Stack{
		Handler: mux, Authorize: "/authorize", Token: "/token", UserInfo: "/userinfo",
		ClientID: clientID, RedirectURI: callback, Scope: "profile email offline", Cookie: cookie,
	}, nil
}

// fositeStorage is fosite's memory store with one more lock: its
// RevokeRefreshToken writes refresh tokens without one, and the program crashes
// when two clients refresh at once.
type fositeStorage struct {
	*storage.MemoryStore
	refresh sync.RWMutex
}

func newFositeStorage() *fositeStorage { return &fositeStorage{MemoryStore: storage.NewMemoryStore()} }

func (s *fositeStorage) CreateRefreshTokenSession(ctx context.Context, signature, access string, request fosite.Requester) error {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	return s.MemoryStore.CreateRefreshTokenSession(ctx, signature, access, request)
}

func (s *fositeStorage) GetRefreshTokenSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	s.refresh.RLock()
	defer s.refresh.RUnlock()
	return s.MemoryStore.GetRefreshTokenSession(ctx, signature, session)
}

func (s *fositeStorage) DeleteRefreshTokenSession(ctx context.Context, signature string) error {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	return s.MemoryStore.DeleteRefreshTokenSession(ctx, signature)
}

func (s *fositeStorage) RevokeRefreshToken(ctx context.Context, requestID string) error {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	return s.MemoryStore.RevokeRefreshToken(ctx, requestID)
}

func (s *fositeStorage) RotateRefreshToken(ctx context.Context, requestID, signature string) error {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	return s.MemoryStore.RotateRefreshToken(ctx, requestID, signature)
}
