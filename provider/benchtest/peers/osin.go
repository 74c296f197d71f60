package peers

import (
	"net/http"
	"sync"

	"github.com/openshift/osin"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// newOsin is github.com/openshift/osin as in its README, with refresh tokens.
func newOsin() (*benchtest.Stack, error) {
	config := osin.NewServerConfig()
	config.AllowedAccessTypes = osin.AllowedAccessType{osin.AUTHORIZATION_CODE, osin.REFRESH_TOKEN}
	srv := osin.NewServer(config, &osinStorage{
		clients: map[string]osin.Client{clientID: &osin.DefaultClient{Id: clientID, Secret: clientSecret, RedirectUri: callback}},
		codes:   map[string]*osin.AuthorizeData{},
		access:  map[string]*osin.AccessData{},
		refresh: map[string]string{},
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		resp := srv.NewResponse()
		defer resp.Close()
		if ar := srv.HandleAuthorizeRequest(resp, r); ar != nil {
			if id := signedIn(r); id != "" {
				ar.UserData, ar.Authorized = id, true
			}
			srv.FinishAuthorizeRequest(resp, r, ar)
		}
		osinAnswer(resp, w, r)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		resp := srv.NewResponse()
		defer resp.Close()
		if ar := srv.HandleAccessRequest(resp, r); ar != nil {
			ar.Authorized = true
			srv.FinishAccessRequest(resp, r, ar)
		}
		osinAnswer(resp, w, r)
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, r *http.Request) {
		resp := srv.NewResponse()
		defer resp.Close()
		ir := srv.HandleInfoRequest(resp, r)
		if ir == nil {
			osinAnswer(resp, w, r)
			return
		}
		id, _ := ir.AccessData.UserData.(string)
		writeUser(w, id)
	})
	return &benchtest.Stack{
		Name: "osin", Handler: mux, Authorize: "/authorize", Token: "/token", UserInfo: "/userinfo",
		ClientID: clientID, ClientSecret: clientSecret, RedirectURI: callback, Scope: "profile email", Cookie: cookie,
	}, nil
}

func osinAnswer(resp *osin.Response, w http.ResponseWriter, r *http.Request) {
	if err := osin.OutputJSON(resp, w, r); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// osinStorage is the storage of osin's example, with a lock and without its
// prints.
type osinStorage struct {
	clients map[string]osin.Client // never changed

	mu      sync.RWMutex
	codes   map[string]*osin.AuthorizeData
	access  map[string]*osin.AccessData
	refresh map[string]string // the access token of each refresh token
}

func (s *osinStorage) Clone() osin.Storage { return s }

func (s *osinStorage) Close() {}

func (s *osinStorage) GetClient(id string) (osin.Client, error) {
	client, ok := s.clients[id]
	if !ok {
		return nil, osin.ErrNotFound
	}
	return client, nil
}

func (s *osinStorage) SaveAuthorize(data *osin.AuthorizeData) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[data.Code] = data
	return nil
}

func (s *osinStorage) LoadAuthorize(code string) (*osin.AuthorizeData, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	data, ok := s.codes[code]
	if !ok {
		return nil, osin.ErrNotFound
	}
	return data, nil
}

func (s *osinStorage) RemoveAuthorize(code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.codes, code)
	return nil
}

// SaveAccess drops earlier tokens. Otherwise each token would keep all those
// that it replaced.
func (s *osinStorage) SaveAccess(data *osin.AccessData) error {
	kept := *data
	kept.AuthorizeData, kept.AccessData = nil, nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access[kept.AccessToken] = &kept
	if kept.RefreshToken != "" {
		s.refresh[kept.RefreshToken] = kept.AccessToken
	}
	return nil
}

func (s *osinStorage) LoadAccess(token string) (*osin.AccessData, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	data, ok := s.access[token]
	if !ok {
		return nil, osin.ErrNotFound
	}
	return data, nil
}

func (s *osinStorage) RemoveAccess(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.access, token)
	return nil
}

func (s *osinStorage) LoadRefresh(token string) (*osin.AccessData, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	data, ok := s.access[s.refresh[token]]
	if !ok {
		return nil, osin.ErrNotFound
	}
	return data, nil
}

func (s *osinStorage) RemoveRefresh(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.refresh, token)
	return nil
}
