package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/store"
)

// The doctor finds no problems in the example.
func TestDoctorFindsNothing(t *testing.T) {
	d := newDemo(t)
	apps, _, err := d.provider.ListApplications(t.Context(), store.ApplicationQuery{Limit: 1})
	require.NoError(t, err)
	require.Empty(t, providertest.Diagnose(t, nil, d.acmeURL, apps[0].ClientID))

	// Nor at its address in production.
	const issuer = "https://acme.example"
	host, err := newHost(issuer, "", 600)
	require.NoError(t, err)
	app := host.handler()
	for _, found := range providertest.Diagnose(t, app, issuer) {
		t.Error(found)
	}
}
