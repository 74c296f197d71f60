package provider_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// A custom endpoint has the provider's log line and event.
func TestEndpointIsWatchedLikeTheOthers(t *testing.T) {
	h := newHost(t)
	endpoint := h.Endpoint("reports", func(w http.ResponseWriter, r *http.Request) error {
		switch r.URL.Path {
		case "/refused":
			return &provider.Error{Code: "no_report", Description: "There is no such report.", Status: 404}
		case "/wrapped":
			return fmt.Errorf("reports: %w", &provider.Error{Code: "no_report", Status: 404})
		case "/failed":
			return errors.New("the disk is on fire")
		case "/panics":
			panic("a fault of the host's")
		}
		_, err := io.WriteString(w, "a report")
		return err
	}, func(w http.ResponseWriter, _ *http.Request, e *provider.Error, reference string) {
		w.WriteHeader(e.Status)
		io.WriteString(w, reference)
	})
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, httptest.NewRequest("REPORT", path, nil))
		return w
	}
	require.Equal(t, "a report", get("/").Body.String())
	require.Empty(t, h.log.String())
	for _, tt := range []struct {
		path   string
		status int
		says   []string
	}{
		{"/refused", 404, []string{"level=INFO", "error=no_report", `description="There is no such report."`}},
		{"/wrapped", 404, []string{"level=INFO", "error=no_report"}},
		{"/failed", 500, []string{"level=ERROR", "error=server_error", `cause="the disk is on fire"`}},
	} {
		before := len(h.log.String())
		w := get(tt.path)
		require.Equal(t, tt.status, w.Code)
		require.Regexp(t, regexp.MustCompile(`^[0-9a-f]{32}$`), w.Body.String())
		logged := h.log.String()[before:]
		require.Equal(t, 1, strings.Count(logged, "\n"), logged)
		for _, says := range append(tt.says, "endpoint=reports", "reference="+w.Body.String()) {
			require.Contains(t, logged, says)
		}
	}
	require.Panics(t, func() { get("/panics") })
	require.Equal(t, [][2]string{{"reports", "ok"}, {"reports", "no_report"}, {"reports", "no_report"}, {"reports", "server_error"}, {"reports", "server_error"}}, h.requests(t))
}

func TestOffersListsOriginsAndScopes(t *testing.T) {
	all := scopes.New("profile", "email", "public_metadata", "private_metadata", "notes:read")
	require.Equal(t, provider.Offer{Scopes: map[store.Origin]scopes.Set{store.OriginManual: all}}, newHost(t).Offers())

	h := newHost(t, func(c *provider.Config) {
		c.Registration = &provider.Registration{Scopes: []string{"notes:read"}}
		c.ClientIDDocuments = &provider.ClientIDDocuments{}
		c.Machines = &provider.Machines{Scopes: []string{"email"}}
		c.Keys, c.OpenID = hosttest.NewKeys(), &provider.OpenID{}
		c.Workspaces = &provider.Workspaces{
			List:   func(context.Context, string) ([]provider.Workspace, error) { return nil, nil },
			Member: func(context.Context, string, string) (bool, error) { return false, nil },
		}
	})
	want := func() provider.Offer {
		return provider.Offer{
			Scopes: map[store.Origin]scopes.Set{
				store.OriginManual: all, store.OriginRegistration: scopes.New("notes:read"), store.OriginDocument: slices.Clone(all),
			},
			MachineScopes: scopes.New("email"), Keys: true, OpenID: true, Workspaces: true,
		}
	}
	got := h.Offers()
	require.Equal(t, want(), got)
	got.MachineScopes[0] = "changed"
	got.Scopes[store.OriginManual][0], got.Scopes[store.OriginDocument][0] = "changed", "changed"
	require.Equal(t, want(), h.Offers())
}

// A form has what it needs to word the errors itself.
func TestFieldErrorsHaveKinds(t *testing.T) {
	h := newHost(t)
	uri := "https://wiki.example.com/" + strings.Repeat("x", 1024)
	for _, tt := range []struct {
		settings provider.ApplicationSettings
		want     provider.FieldError
	}{
		{provider.ApplicationSettings{}, provider.FieldError{Field: "name", Kind: provider.FieldMissing}},
		{provider.ApplicationSettings{Name: "a\n"}, provider.FieldError{Field: "name", Kind: provider.FieldFormat, Value: "a\n"}},
		{provider.ApplicationSettings{Name: strings.Repeat("x", 257)}, provider.FieldError{Field: "name", Kind: provider.FieldTooLong, Limit: 256}},
		{provider.ApplicationSettings{Name: "x", RedirectURIs: []string{uri}}, provider.FieldError{Field: "redirect_uris", Kind: provider.FieldTooLong, Limit: 1024}},
		{provider.ApplicationSettings{Name: "x", RedirectURIs: make([]string, 101)}, provider.FieldError{Field: "redirect_uris", Kind: provider.FieldTooMany, Limit: 100}},
		{provider.ApplicationSettings{Name: "x", RedirectURIs: []string{callback, callback}}, provider.FieldError{Field: "redirect_uris", Kind: provider.FieldTwice, Value: callback}},
		{provider.ApplicationSettings{Name: "x", Scopes: scopes.New("other")}, provider.FieldError{Field: "scopes", Kind: provider.FieldValue, Value: "other"}},
	} {
		_, _, err := h.CreateApplication(ctx, tt.settings)
		var wrong provider.FieldErrors
		require.ErrorAs(t, err, &wrong)
		require.Len(t, wrong, 1)
		require.NotEmpty(t, wrong[0].Message)
		wrong[0].Message = ""
		require.Equal(t, tt.want, wrong[0])
	}
}
