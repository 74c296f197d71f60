package clerkapi

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// revokeToken revokes the whole grant of one of the application's tokens.
func (a *api) revokeToken(w http.ResponseWriter, r *http.Request) (any, error) {
	app, err := a.application(r)
	if err != nil {
		return nil, err
	}
	text, err := readTokenParam(w, r, true, "token")
	if err != nil {
		return nil, err
	}
	found, err := a.lookUp(r, text)
	if err != nil {
		return nil, err
	}
	if found.ApplicationID != app.ID {
		return nil, errResourceNotFound("No token of this application was found.")
	}
	return nil, a.p.RevokeGrants(r.Context(), provider.GrantFilter{ID: found.GrantID})
}

// token is an access token as Clerk shows it. Its times are in Unix
// seconds, unlike those of applications.
type token struct {
	Object           string     `json:"object"`
	ID               string     `json:"id"` // names the token and does not give it away
	ClientID         string     `json:"client_id"`
	Subject          string     `json:"subject"`
	Scopes           scopes.Set `json:"scopes"`
	Revoked          bool       `json:"revoked"`
	RevocationReason *string    `json:"revocation_reason"`
	Expired          bool       `json:"expired"`
	Expiration       int64      `json:"expiration"`
	CreatedAt        int64      `json:"created_at"`
	UpdatedAt        int64      `json:"updated_at"`
}

// verifyToken says all there is to say of an access token, also of one that
// does not work any more.
func (a *api) verifyToken(w http.ResponseWriter, r *http.Request) (any, error) {
	text, err := readTokenParam(w, r, false, "access_token", "secret") // the second is its deprecated name
	if err != nil {
		return nil, err
	}
	found, err := a.lookUp(r, text)
	if err != nil {
		return nil, err
	}
	app, err := a.p.FindApplication(r.Context(), found.ApplicationID)
	// Who asks here is told of no audience, and would take a token that is for
	// another API than its own.
	if found.Refresh || found.Resource != "" || errors.Is(err, store.ErrNotFound) {
		return nil, errResourceNotFound("No access token was found.")
	} else if err != nil {
		return nil, err
	}
	reason := ""
	switch {
	case found.Revoked:
		reason = "The sign-in was ended."
	case found.UserGone:
		reason = "The user is gone."
	}
	return token{
		Object:           "clerk_idp_oauth_access_token",
		ID:               tokenID(text),
		ClientID:         app.ClientID,
		Subject:          found.UserID,
		Scopes:           append(scopes.Set{}, found.Scopes...),
		Revoked:          reason != "",
		RevocationReason: nullable(reason),
		Expired:          found.Expired,
		Expiration:       found.ExpiresAt.Unix(),
		CreatedAt:        found.IssuedAt.Unix(),
		UpdatedAt:        found.IssuedAt.Unix(),
	}, nil
}

// tokenID names a token and does not give it away: half of a hash of what
// cannot be guessed.
func tokenID(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "oat_" + hex.EncodeToString(sum[:16])
}

// lookUp finds a token, whether it works or not.
func (a *api) lookUp(r *http.Request, text string) (provider.FoundToken, error) {
	found, err := a.p.LookupToken(r.Context(), text)
	if errors.Is(err, store.ErrNotFound) {
		err = errResourceNotFound("No token was found.")
	}
	return found, err
}

// readTokenParam reads the one parameter of a body, under its name or an older
// one.
func readTokenParam(w http.ResponseWriter, r *http.Request, strict bool, names ...string) (string, error) {
	object, err := readObject(w, r)
	if err != nil {
		return "", err
	}
	var text *string
	var problems []problem
	for _, name := range names {
		var given *string
		problems = append(problems, decodeParam(object, name, "string", &given)...)
		if text == nil {
			text = given
		}
	}
	if strict {
		problems = append(problems, unknownParams(object)...)
	}
	if len(problems) == 0 && value(text) == "" {
		problems = append(problems, paramError("form_param_missing", names[0], "is missing", names[0]+" must be included."))
	}
	return value(text), unprocessable(problems)
}

const maxLogo = 10 << 20 // bytes, as Clerk has it

// putLogo hands an uploaded image to the host.
func (a *api) putLogo(w http.ResponseWriter, r *http.Request) (any, error) {
	app, err := a.application(r)
	if err != nil {
		return nil, err
	}
	if a.options.StoreLogo == nil {
		return nil, errResourceNotFound("This provider keeps no logos: clerkapi.Options.StoreLogo is not set.")
	}
	image, contentType, err := readLogo(w, r)
	if err != nil {
		return nil, err
	}
	logoURL, err := a.options.StoreLogo(r.Context(), app, contentType, image)
	if err != nil {
		return nil, err
	}
	app, err = a.p.UpdateApplication(r.Context(), app.ID, func(app *provider.ApplicationSettings) error {
		app.LogoURL = logoURL
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoApplication(r.PathValue("id"))
	} else if err != nil {
		return nil, err
	}
	return a.show(app), nil
}

// readLogo reads the image from a multipart body. What it is, its bytes say and
// not its name.
func readLogo(w http.ResponseWriter, r *http.Request) (image []byte, contentType string, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogo+maxBody)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, "", oneProblem(http.StatusUnsupportedMediaType, "unsupported_content_type", "Content-Type is unsupported",
			"Content-Type "+excerpt(r.Header.Get("Content-Type"))+" is unsupported. You should use multipart/form-data instead.")
	}
	tooLarge := oneProblem(http.StatusRequestEntityTooLarge, "image_too_large", "Image too large", "The image must not exceed 10 MB.")
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, "", unprocessable([]problem{paramError("form_param_missing", "file", "is missing", "file must be included.")})
		}
		if err == nil && part.FormName() != "file" {
			continue
		}
		if err == nil {
			image, err = io.ReadAll(io.LimitReader(part, maxLogo+1))
		}
		var limit *http.MaxBytesError
		switch {
		case errors.As(err, &limit), len(image) > maxLogo:
			return nil, "", tooLarge
		case err != nil:
			return nil, "", errBodyInvalid()
		}
		contentType = http.DetectContentType(image)
		if !slices.Contains([]string{"image/jpeg", "image/png", "image/gif", "image/webp"}, contentType) {
			return nil, "", unprocessable([]problem{paramError("form_param_format_invalid", "file", "is invalid", "file must be a JPEG, PNG, GIF or WebP image.")})
		}
		return image, contentType, nil
	}
}

// settings are the instance's settings as Clerk shows them.
type settings struct {
	Object               string   `json:"object"`
	DynamicRegistration  bool     `json:"dynamic_oauth_client_registration"`
	DefaultScopes        []string `json:"default_scopes"`
	JWTAccessTokens      bool     `json:"oauth_jwt_access_tokens"`
	DocumentsAdvertised  bool     `json:"client_id_metadata_documents_advertised"`
	DocumentsOnlyKnown   bool     `json:"client_id_metadata_documents_only_allow_pre_registered_clients"`
	DocumentsOnlyAllowed bool     `json:"client_id_metadata_documents_block_implicitly_allowed_clients"`
}

func (a *api) settings() settings {
	asked := scopes.New(scopes.Profile, scopes.Email)
	return settings{Object: "oauth_application_settings", DefaultScopes: asked}
}

func (a *api) readSettings(http.ResponseWriter, *http.Request) (any, error) {
	return a.settings(), nil
}

// updateSettings takes what is so already. Changing it is for the host's code:
// a Provider does not change while it runs.
func (a *api) updateSettings(w http.ResponseWriter, r *http.Request) (any, error) {
	object, err := readObject(w, r)
	if err != nil {
		return nil, err
	}
	now := a.settings()
	var problems []problem
	fixed := func(name string, now any) {
		problems = append(problems, paramError("form_param_value_invalid", name, "is invalid",
			fmt.Sprintf("%s is %v, and only the configuration of the provider can change it.", name, now)))
	}
	for _, flag := range []struct {
		name string
		now  bool
	}{
		{"dynamic_oauth_client_registration", now.DynamicRegistration},
		{"oauth_jwt_access_tokens", now.JWTAccessTokens},
		{"client_id_metadata_documents_advertised", now.DocumentsAdvertised},
		{"client_id_metadata_documents_only_allow_pre_registered_clients", now.DocumentsOnlyKnown},
		{"client_id_metadata_documents_block_implicitly_allowed_clients", now.DocumentsOnlyAllowed},
	} {
		var asked *bool
		problems = append(problems, decodeParam(object, flag.name, "boolean", &asked)...)
		if asked != nil && *asked != flag.now {
			fixed(flag.name, flag.now)
		}
	}
	var asked *[]string
	problems = append(problems, decodeParam(object, "default_scopes", "array of strings", &asked)...)
	if asked != nil && !scopes.New(*asked...).Equal(now.DefaultScopes) {
		fixed("default_scopes", scopes.Set(now.DefaultScopes))
	}
	problems = append(problems, unknownParams(object)...)
	return now, unprocessable(problems)
}
