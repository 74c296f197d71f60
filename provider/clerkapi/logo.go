package clerkapi

import (
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

const maxLogo = 10 << 20 // bytes, as at Clerk

// putLogo passes an uploaded image to the host.
func (a *api) putLogo(w http.ResponseWriter, r *http.Request) (any, error) {
	app, err := a.application(r)
	if err != nil {
		return nil, err
	}
	if a.options.StoreLogo == nil {
		return nil, errResourceNotFound("This provider stores no logos: clerkapi.Options.StoreLogo is not set.")
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

// readLogo reads the image from a multipart body. It detects the type from the
// content, not from the name.
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
