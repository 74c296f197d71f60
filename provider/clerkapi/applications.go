package clerkapi

import (
	"errors"
	"net/http"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// application is an application as Clerk returns it. Every answer has every
// field, except the secret.
type application struct {
	Object                string   `json:"object"`
	ID                    string   `json:"id"`
	InstanceID            string   `json:"instance_id"`
	Name                  string   `json:"name"`
	ClientID              string   `json:"client_id"`
	ClientURI             *string  `json:"client_uri"`
	ClientImageURL        *string  `json:"client_image_url"`
	DynamicallyRegistered bool     `json:"dynamically_registered"`
	ConsentScreenEnabled  bool     `json:"consent_screen_enabled"`
	PKCERequired          bool     `json:"pkce_required"`
	Public                bool     `json:"public"`
	Scopes                string   `json:"scopes"`
	RedirectURIs          []string `json:"redirect_uris"`
	CallbackURL           string   `json:"callback_url"` // the first redirect URI
	AuthorizeURL          string   `json:"authorize_url"`
	TokenFetchURL         string   `json:"token_fetch_url"`
	UserInfoURL           string   `json:"user_info_url"`
	DiscoveryURL          string   `json:"discovery_url"`
	TokenIntrospectionURL string   `json:"token_introspection_url"`
	CreatedAt             int64    `json:"created_at"` // Unix milliseconds
	UpdatedAt             int64    `json:"updated_at"`

	// ClientSecret is set if a secret was just generated. It is empty for a
	// public application.
	ClientSecret *string `json:"client_secret,omitempty"`
}

func (a *api) show(app provider.Application) application {
	endpoints := a.p.Endpoints()
	shown := application{
		Object:                "oauth_application",
		ID:                    app.ID,
		InstanceID:            a.p.InstanceID(),
		Name:                  app.Name,
		ClientID:              app.ClientID,
		ClientURI:             nullable(app.ClientURI),
		ClientImageURL:        nullable(app.LogoURL),
		DynamicallyRegistered: app.Origin != store.OriginManual,
		ConsentScreenEnabled:  !app.SkipConsent,
		PKCERequired:          app.PKCERequired,
		Public:                app.Public,
		Scopes:                app.Scopes.String(),
		RedirectURIs:          append([]string{}, app.RedirectURIs...),
		AuthorizeURL:          endpoints.Authorize,
		TokenFetchURL:         endpoints.Token,
		UserInfoURL:           endpoints.UserInfo,
		DiscoveryURL:          endpoints.Metadata,
		TokenIntrospectionURL: endpoints.Introspect,
		CreatedAt:             app.CreatedAt.UnixMilli(),
		UpdatedAt:             app.UpdatedAt.UnixMilli(),
	}
	if len(app.RedirectURIs) > 0 {
		shown.CallbackURL = app.RedirectURIs[0]
	}
	return shown
}

// showWithSecret returns the application with the secret that was just
// generated.
func (a *api) showWithSecret(app provider.Application, secret provider.Secret) application {
	shown, text := a.show(app), secret.Reveal()
	shown.ClientSecret = &text
	return shown
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (a *api) list(_ http.ResponseWriter, r *http.Request) (any, error) {
	q, err := applicationQuery(r)
	if err != nil {
		return nil, err
	}
	page, total, err := a.p.ListApplications(r.Context(), q)
	if err != nil {
		return nil, err
	}
	data := make([]application, 0, len(page))
	for _, app := range page {
		data = append(data, a.show(app))
	}
	return struct {
		Data  []application `json:"data"`
		Total int           `json:"total_count"`
	}{data, total}, nil
}

func (a *api) create(w http.ResponseWriter, r *http.Request) (any, error) {
	params, err := a.readApplicationParams(w, r, false)
	if err != nil {
		return nil, err
	}
	s := provider.ApplicationSettings{
		RedirectURIs: params.uris(nil),
		Public:       value(params.isPublic),
		PKCERequired: value(params.pkceRequired),
		SkipConsent:  params.consentScreenEnabled != nil && !*params.consentScreenEnabled,
		Name:         value(params.name),
		Scopes:       params.scopeSet(),
	}
	app, secret, err := a.p.CreateApplication(r.Context(), s)
	if err != nil {
		return nil, problemsOf(err, params.viaCallback())
	}
	return a.showWithSecret(app, secret), nil
}

func value[T any](pointer *T) T {
	if pointer == nil {
		return *new(T)
	}
	return *pointer
}

func (a *api) read(_ http.ResponseWriter, r *http.Request) (any, error) {
	app, err := a.application(r)
	if err != nil {
		return nil, err
	}
	return a.show(app), nil
}

func (a *api) update(w http.ResponseWriter, r *http.Request) (any, error) {
	before, err := a.application(r)
	if err != nil {
		return nil, err
	}
	params, err := a.readApplicationParams(w, r, true)
	if err != nil {
		return nil, err
	}
	app, err := a.p.UpdateApplication(r.Context(), before.ID, func(app *provider.ApplicationSettings) error {
		if params.name != nil {
			app.Name = *params.name
		}
		app.RedirectURIs = params.uris(app.RedirectURIs)
		if params.isPublic != nil {
			app.Public = *params.isPublic
		}
		if params.pkceRequired != nil {
			if app.Public && !*params.pkceRequired {
				return unprocessable([]problem{errPublicNeedsPKCE("pkce_required")})
			}
			if before.Origin != store.OriginManual && !*params.pkceRequired {
				return unprocessable([]problem{paramError("form_param_value_invalid", "pkce_required",
					"is invalid", "PKCE cannot be switched off for a dynamically registered OAuth Application")})
			}
			app.PKCERequired = *params.pkceRequired
		}
		if params.consentScreenEnabled != nil {
			if !*params.consentScreenEnabled && before.Origin != store.OriginManual {
				return unprocessable([]problem{paramError("oauth_application_consent_screen_cannot_be_disabled", "consent_screen_enabled",
					"is invalid", "Consent screen cannot be disabled for a dynamically registered OAuth Application")})
			}
			app.SkipConsent = !*params.consentScreenEnabled
		}
		if params.scopes != nil {
			app.Scopes = params.scopeSet()
		}
		return nil
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, errNoApplication(before.ID)
	case err != nil:
		return nil, problemsOf(err, params.viaCallback())
	case params.isPublic != nil && !app.Public && len(app.Secrets) == 0 && app.Keys.IsZero():
		// It was public until now, or until an earlier request whose answer was
		// lost. A confidential application needs a secret, and only this answer
		// can contain it.
		return a.rotated(r, app.ID)
	}
	return a.show(app), nil
}

func (a *api) delete(_ http.ResponseWriter, r *http.Request) (any, error) {
	app, err := a.application(r)
	if err != nil {
		// It is deleted, but what was issued to it may still exist: the request
		// that deleted it may have failed halfway, and this is the retry.
		var gone apiError
		if id := r.PathValue("id"); errors.As(err, &gone) && isID(id) {
			if err := a.p.DeleteApplication(r.Context(), id); err != nil {
				return nil, err
			}
		}
		return nil, err
	}
	if err := a.p.DeleteApplication(r.Context(), app.ID); err != nil {
		return nil, err
	}
	return struct {
		Object  string `json:"object"`
		ID      string `json:"id"`
		Deleted bool   `json:"deleted"`
	}{"oauth_application", app.ID, true}, nil
}

// rotateSecret replaces all secrets at once. For an overlap, use
// [provider.Provider.AddSecret].
func (a *api) rotateSecret(_ http.ResponseWriter, r *http.Request) (any, error) {
	app, err := a.application(r)
	if err != nil {
		return nil, err
	}
	if app.Public {
		refusal := errPublicNeedsPKCE("public")
		refusal.LongMessage = "A public application has no secret to rotate: it uses PKCE."
		return nil, unprocessable([]problem{refusal})
	}
	if !app.Keys.IsZero() {
		return nil, unprocessable([]problem{paramError("form_param_value_invalid", "jwks", "is invalid", "The application authenticates with a key, and has no secret to rotate.")})
	}
	return a.rotated(r, app.ID)
}

func (a *api) rotated(r *http.Request, id string) (any, error) {
	secret, err := a.p.AddSecret(r.Context(), id, time.Time{})
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoApplication(id)
	} else if err != nil {
		return nil, err
	}
	app, err := a.p.FindApplication(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return a.showWithSecret(app, secret), nil
}
