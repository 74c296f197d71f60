package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	_ "image/gif" // what may be uploaded, beside PNG
	_ "image/jpeg"
	"image/png"
	"io"
	"net/http"
	"sync"

	"github.com/latchkey-go/latchkey/provider"
)

const (
	maxLogo       = 1 << 20 // bytes
	maxLogoPixels = 1024    // each way
)

// logos stands for a bucket of files: PNG images, by the application's id.
// Acme serves them itself, so an application cannot show another image after
// somebody has looked at it, or count who sees its consent page.
type logos struct {
	mu     sync.RWMutex
	images map[string][]byte
}

func newLogos() *logos { return &logos{images: map[string][]byte{}} }

func (l *logos) put(id string, image []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.images[id] = image
}

func (l *logos) get(id string) ([]byte, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	image, ok := l.images[id]
	return image, ok
}

func (l *logos) remove(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.images, id)
}

// uploadLogo keeps an image and makes it the application's logo. Where the
// Backend API takes logos too, clerkapi.Options.StoreLogo does the middle part.
func (h *host) uploadLogo(w http.ResponseWriter, r *http.Request, app provider.Application) {
	path := applicationsPath + "/" + app.ID
	file, _, err := r.FormFile("file")
	if err != nil {
		h.refuse(w, r, path, "Choose an image of at most 1 MB.")
		return
	}
	defer file.Close()
	uploaded, err := io.ReadAll(io.LimitReader(file, maxLogo+1))
	if err != nil || len(uploaded) > maxLogo {
		h.refuse(w, r, path, "Choose an image of at most 1 MB.")
		return
	}
	drawn, err := redraw(uploaded)
	if err != nil {
		h.refuse(w, r, path, "Choose a PNG, JPEG or GIF image of at most 1024 by 1024 pixels.")
		return
	}
	h.logos.put(app.ID, drawn)
	// A new image has a new address, so that browsers may keep it for good.
	sum := sha256.Sum256(drawn)
	logoURL := h.issuer + "/logos/" + app.ID + "?v=" + hex.EncodeToString(sum[:8])
	_, err = h.provider.UpdateApplication(r.Context(), app.ID, func(app *provider.ApplicationSettings) error {
		app.LogoURL = logoURL
		return nil
	})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.done(w, r, path, "The logo is saved.")
}

// redraw decodes an image and encodes it again. What is served from Acme's own
// origin then is a picture and nothing else, whatever else the file was.
func redraw(file []byte) ([]byte, error) {
	size, _, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	if size.Width > maxLogoPixels || size.Height > maxLogoPixels { // A small file can have a huge picture.
		return nil, errors.New("the image has too many pixels")
	}
	picture, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	var drawn bytes.Buffer
	err = png.Encode(&drawn, picture)
	return drawn.Bytes(), err
}

func (h *host) serveLogo(w http.ResponseWriter, r *http.Request) {
	drawn, ok := h.logos.get(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "image/png")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(drawn)
}
