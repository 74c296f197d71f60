package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/store/memory"
)

// The doctor looks at the example, and finds nothing.
func TestDoctorFindsNothing(t *testing.T) {
	d := newDemo(t)
	require.Empty(t, providertest.Diagnose(t, nil, d.acmeURL, d.wiki.oauth.ClientID))

	// Nor under its name in production.
	const issuer = "https://acme.example"
	host, err := newHost(issuer, memory.New(), 600)
	require.NoError(t, err)
	app := host.handler()
	for _, found := range providertest.Diagnose(t, app, issuer) {
		t.Error(found)
	}
}
