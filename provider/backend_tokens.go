package provider

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// revokeToken revokes the whole grant of one of the application's tokens.
func (b backend) revokeToken(w http.ResponseWriter, r *http.Request) (any, error) {
	app, err := b.application(r)
	if err != nil {
		return nil, err
	}
	text, err := readTokenParam(w, r, true, "token")
	if err != nil {
		return nil, err
	}
	token, err := b.find(r, text, rules.KindAccess, rules.KindRefresh)
	if err != nil {
		return nil, err
	}
	if token.applicationID != app.ID {
		return nil, errResourceNotFound("No token of this application was found.")
	}
	return nil, b.p.RevokeGrants(r.Context(), GrantFilter{ID: token.grantID})
}

// backendToken is an access token as Clerk shows it. Its times are in Unix
// seconds, unlike those of applications.
type backendToken struct {
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
func (b backend) verifyToken(w http.ResponseWriter, r *http.Request) (any, error) {
	text, err := readTokenParam(w, r, false, "access_token", "secret") // the second is its deprecated name
	if err != nil {
		return nil, err
	}
	token, err := b.find(r, text, rules.KindAccess)
	if err != nil {
		return nil, err
	}
	app, err := b.p.FindApplication(r.Context(), token.applicationID)
	// Who asks here is told of no audience, and would take a token that is for
	// another API than its own.
	if token.resource != "" || errors.Is(err, store.ErrNotFound) {
		return nil, errResourceNotFound("No access token was found.")
	} else if err != nil {
		return nil, err
	}
	shown := backendToken{
		Object:     "clerk_idp_oauth_access_token",
		ID:         "oat_" + hex.EncodeToString(token.hash[:16]),
		ClientID:   app.ClientID,
		Subject:    token.userID,
		Scopes:     append(scopes.Set{}, token.scopes...),
		Expired:    !b.p.now().Before(token.expiresAt),
		Expiration: token.expiresAt.Unix(),
		CreatedAt:  token.issuedAt.Unix(),
		UpdatedAt:  token.issuedAt.Unix(),
	}
	_, err = b.p.user(r.Context(), token.userID)
	reason := ""
	switch {
	case errors.Is(token.dead, rules.ErrRevoked):
		reason = "The sign-in was ended."
	case errors.Is(err, userinfo.ErrNotFound):
		reason = "The user is gone."
	case err != nil:
		return nil, err
	}
	shown.Revoked, shown.RevocationReason = reason != "", nullable(reason)
	return shown, nil
}

// find finds a token, whether it works or not.
func (b backend) find(r *http.Request, text string, kinds ...rules.Kind) (presentedToken, error) {
	token, err := b.p.findToken(r.Context(), text, kinds...)
	if errors.Is(err, rules.ErrNotFound) {
		err = errResourceNotFound("No token was found.")
	}
	return token, err
}

// readTokenParam reads the one parameter of a body, under its name or an older
// one.
func readTokenParam(w http.ResponseWriter, r *http.Request, strict bool, names ...string) (string, error) {
	object, err := readObject(w, r)
	if err != nil {
		return "", err
	}
	var text *string
	var problems []backendProblem
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
func (b backend) putLogo(w http.ResponseWriter, r *http.Request) (any, error) {
	app, err := b.application(r)
	if err != nil {
		return nil, err
	}
	if b.p.cfg.StoreLogo == nil {
		return nil, errResourceNotFound("This provider keeps no logos: provider.Config.StoreLogo is not set.")
	}
	image, contentType, err := readLogo(w, r)
	if err != nil {
		return nil, err
	}
	logoURL, err := b.p.cfg.StoreLogo(r.Context(), app, contentType, image)
	if err != nil {
		return nil, err
	}
	app, err = b.p.UpdateApplication(r.Context(), app.ID, func(app *ApplicationSettings) error {
		app.LogoURL = logoURL
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoApplication(r.PathValue("id"))
	} else if err != nil {
		return nil, err
	}
	return b.show(app), nil
}

// readLogo reads the image from a multipart body. What it is, its bytes say and
// not its name.
func readLogo(w http.ResponseWriter, r *http.Request) (image []byte, contentType string, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogo+maxBody)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, "", oneProblem(http.StatusUnsupportedMediaType, "unsupported_content_type", "Content-Type is unsupported",
			"Content-Type "+describable(r.Header.Get("Content-Type"))+" is unsupported. You should use multipart/form-data instead.")
	}
	tooLarge := oneProblem(http.StatusRequestEntityTooLarge, "image_too_large", "Image too large", "The image must not exceed 10 MB.")
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, "", unprocessable([]backendProblem{paramError("form_param_missing", "file", "is missing", "file must be included.")})
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
			return nil, "", unprocessable([]backendProblem{paramError("form_param_format_invalid", "file", "is invalid", "file must be a JPEG, PNG, GIF or WebP image.")})
		}
		return image, contentType, nil
	}
}

// backendSettings are the instance's settings as Clerk shows them.
type backendSettings struct {
	Object               string   `json:"object"`
	DynamicRegistration  bool     `json:"dynamic_oauth_client_registration"`
	DefaultScopes        []string `json:"default_scopes"`
	JWTAccessTokens      bool     `json:"oauth_jwt_access_tokens"`
	DocumentsAdvertised  bool     `json:"client_id_metadata_documents_advertised"`
	DocumentsOnlyKnown   bool     `json:"client_id_metadata_documents_only_allow_pre_registered_clients"`
	DocumentsOnlyAllowed bool     `json:"client_id_metadata_documents_block_implicitly_allowed_clients"`
}

func (b backend) settings() backendSettings {
	asked := scopes.New(scopes.Profile, scopes.Email)
	return backendSettings{Object: "oauth_application_settings", DefaultScopes: asked}
}

func (b backend) readSettings(http.ResponseWriter, *http.Request) (any, error) {
	return b.settings(), nil
}

// updateSettings takes what is so already. Changing it is for the host's code:
// a Provider does not change while it runs.
func (b backend) updateSettings(w http.ResponseWriter, r *http.Request) (any, error) {
	object, err := readObject(w, r)
	if err != nil {
		return nil, err
	}
	now := b.settings()
	var problems []backendProblem
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
