package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/providertest"
)

// The doctor looks at the example, and finds nothing.
func TestDoctorFindsNothing(t *testing.T) {
	site, wiki := startedProvider(t)
	require.Empty(t, providertest.Diagnose(t, nil, site, wiki.ClientID))
}
