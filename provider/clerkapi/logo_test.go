package clerkapi_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/clerkapi"
)

// logo is a multipart body with one file in it.
func logo(t *testing.T, field string, content []byte) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	require.NoError(t, form.WriteField("uploader_user_id", "user_ada"))
	part, err := form.CreateFormFile(field, "logo.svg")
	require.NoError(t, err)
	part.Write(content)
	require.NoError(t, form.Close())
	return b.String(), form.FormDataContentType()
}

func TestLogo(t *testing.T) {
	var picture bytes.Buffer
	require.NoError(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 3, 3))))
	put := func(a *admin, app *application, field string, content []byte) *reply {
		body, contentType := logo(t, field, content)
		return a.call("PUT", "/v1/oauth_applications/"+app.ID+"/logo", body, "Content-Type", contentType)
	}
	none := newAdmin(t)
	says := none.refused(put(none, none.application(provider.ApplicationSettings{}), "file", picture.Bytes()), 404, "resource_not_found")
	require.Contains(t, says[0], "StoreLogo")

	type upload struct {
		app         string
		contentType string
		image       []byte
	}
	var uploads []upload
	logoURL, fault := "https://cdn.example.com/1.png", error(nil)
	a := newAdminWith(t, clerkapi.Options{StoreLogo: func(_ context.Context, app provider.Application, contentType string, image []byte) (string, error) {
		uploads = append(uploads, upload{app.ID, contentType, image})
		return logoURL, fault
	}})
	app := a.application(provider.ApplicationSettings{})
	shown := put(a, app, "file", picture.Bytes()).object(t)
	require.Equal(t, logoURL, shown["client_image_url"])
	require.Equal(t, []upload{{app.ID, "image/png", picture.Bytes()}}, uploads)
	require.Equal(t, logoURL, a.call("GET", "/v1/oauth_applications/"+app.ID, "").object(t)["client_image_url"])

	// The largest accepted image, whose type is only in its content.
	largest := append([]byte("GIF89a"), make([]byte, 10<<20-6)...)
	require.Equal(t, logoURL, put(a, app, "file", largest).object(t)["client_image_url"])
	require.Equal(t, "image/gif", uploads[1].contentType)
	require.Len(t, uploads[1].image, 10<<20)

	a.refused(put(a, app, "file", append(largest, 0)), 413, "image_too_large")
	a.refused(put(a, app, "file", make([]byte, 12<<20)), 413, "image_too_large")
	a.refused(put(a, app, "picture", make([]byte, 12<<20)), 413, "image_too_large")
	a.refused(put(a, app, "picture", picture.Bytes()), 422, "form_param_missing file")
	for _, content := range []string{"", "<svg xmlns='http://www.w3.org/2000/svg'/>", "<html>", "BM" + strings.Repeat("x", 100)} {
		a.refused(put(a, app, "file", []byte(content)), 422, "form_param_format_invalid file")
	}
	path := "/v1/oauth_applications/" + app.ID + "/logo"
	a.refused(a.call("PUT", path, picture.String(), "Content-Type", "image/png"), 415, "unsupported_content_type")
	a.refused(a.call("PUT", path, `{}`), 415, "unsupported_content_type")
	a.refused(a.call("PUT", path, "--x\r\nbroken", "Content-Type", "multipart/form-data; boundary=x"), 400, "request_body_invalid")
	require.Len(t, uploads, 2)

	fault = errors.New("the bucket is on fire")
	r := put(a, app, "file", picture.Bytes())
	a.refused(r, 503, "service_unavailable")
	require.NotContains(t, r.body, "fire")
	require.Contains(t, a.log.String(), "the bucket is on fire")
	fault, logoURL = nil, "http://cdn.example.com/1.png"
	a.refused(put(a, app, "file", picture.Bytes()), 503, "service_unavailable")
	require.Equal(t, "https://cdn.example.com/1.png", a.call("GET", path[:len(path)-5], "").object(t)["client_image_url"])
}
