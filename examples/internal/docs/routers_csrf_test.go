package docs_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

// onEchoWithCSRF has a CSRF check for every request, except those of programs.
func onEchoWithCSRF(p *provider.Provider, sessions *scs.SessionManager) http.Handler {
	e := onEcho(p, sessions).(*echo.Echo)
	exempt := map[string]bool{"/api/notes": true}
	for _, route := range p.Routes() {
		exempt[strings.ReplaceAll(route.Path, "{client_id}", ":client_id")] = true
	}
	e.Use(middleware.CSRFWithConfig(middleware.CSRFConfig{
		Skipper: func(c *echo.Context) bool { return exempt[c.Path()] }, // in v4: echo.Context
	}))
	return e
}

func TestCSRFCheckOfEcho(t *testing.T) {
	s := started(t, "Echo, CSRF")
	require.Empty(t, providertest.Diagnose(t, nil, s.url, s.wiki.ClientID))

	form, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/login", nil)
	require.NoError(t, err)
	form.Header.Set("Sec-Fetch-Site", "cross-site")
	answer, err := http.DefaultClient.Do(form)
	require.NoError(t, err)
	answer.Body.Close()
	require.Equal(t, http.StatusForbidden, answer.StatusCode, "the app's own form keeps its check")
}

// The doctor names Echo's check if nothing is exempt from it.
func TestDoctorNamesTheCSRFCheckOfEcho(t *testing.T) {
	s := started(t, "Echo, CSRF everywhere")
	findings := providertest.Diagnose(t, nil, s.url, s.wiki.ClientID)
	require.NotEmpty(t, findings)
	require.Equal(t, "csrf-check", findings[0].Code)
}
